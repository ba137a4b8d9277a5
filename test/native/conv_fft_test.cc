// Convolution by Fourier transforms: tile edges, padding modes, channels and groups.
#include "conv_check.h"

namespace convmat::test {
namespace {

template <typename T>
void check(const KernelTable& kernels, const ConvCase& problem, int32_t n, const Fusion& fusion = {}) {
  const ConvPlan plan = forward_plan<T>(problem, Algorithm::fft, n);
  const std::vector<T> x = normal_numbers<T>(input_size(plan), 1),
                       w = normal_numbers<T>(weight_size(plan), 2);
  const std::vector<T> bias = normal_numbers<T>(plan.out_channels, 3);
  std::vector<double> expected = reference_forward(plan, widened(x), widened(w));
  double largest = 0;  // before clamping: errors are those of the sums
  for (const double value : expected) largest = std::fmax(largest, std::fabs(value));
  fuse(plan, widened(bias), fusion, expected);
  const std::vector<T> y =
      run_forward(kernels, plan, x, w, fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi);
  const double tolerance = 32 * std::numeric_limits<T>::epsilon() * largest;
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], expected[i], tolerance) << problem.name << " by " << n << " at " << i;
  }
}

void check_both(const KernelTable& kernels, const ConvCase& problem, int32_t n) {
  check<float>(kernels, problem, n);
  check<double>(kernels, problem, n, {false, -2, 3});
}

using ConvFftTest = EachIsa;

TEST_P(ConvFftTest, EveryEdgeOfATile) {
  // 32 - 9 + 1 = 24 and 32 - 11 + 1 = 22 outputs of a tile are right.
  for (const int64_t height : {9, 32, 33, 57}) {
    for (const int64_t width : {11, 31, 32, 33, 54, 55}) {
      check_both(kernels(), {"valid", 1, 1, 1, 1, {{1, 1}, {height, 9}, {width, 11}}}, 32);
    }
  }
  check_both(kernels(), {"kernel as large as the tile", 1, 1, 1, 1, {{1, 1}, {33, 32}, {34, 32}}}, 32);
  check_both(kernels(), {"larger tile", 1, 1, 1, 1, {{1, 1}, {90, 31}, {70, 31}}}, 64);
}
TEST_P(ConvFftTest, PaddingModes) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    check_both(kernels(), {"padded", 2, 1, 1, 1, {{1, 1}, {40, 15, 1, 1, 7, 7}, {50, 13, 1, 1, 3, 9}}, mode},
               32);
  }
}
TEST_P(ConvFftTest, ChannelsAndGroups) {
  check_both(kernels(), {"channels", 2, 1, 3, 2, {{1, 1}, {40, 9, 1, 1, 4, 4}, {30, 9, 1, 1, 4, 4}}}, 32);
  check_both(kernels(), {"groups", 1, 3, 6, 6, {{1, 1}, {20, 9, 1, 1, 4, 4}, {30, 7, 1, 1, 3, 3}}}, 32);
}
TEST_P(ConvFftTest, BitsDoNotDependOnThreads) {
  check_threads(kernels(), forward_plan<float>({"threads", 1, 1, 1, 1, {{1, 1}, {300, 15}, {301, 15}}},
                                               Algorithm::fft, 64));
}
CONVMAT_ON_EACH_ISA(ConvFftTest);

}  // namespace
}  // namespace convmat::test
