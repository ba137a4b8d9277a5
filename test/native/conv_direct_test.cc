// Direct convolution: every tile edge, stride, dilation, padding mode and rank.
#include "conv_check.h"

namespace convmat::test {
namespace {

void check(const KernelTable& kernels, const ConvCase& problem) {
  check_exactly<float>(kernels, problem, Algorithm::direct);
  check_exactly<double>(kernels, problem, Algorithm::direct, {false, -20, 30});
}

using ConvDirectTest = EachIsa;

TEST_P(ConvDirectTest, IsItsDefinition) {
  for (const ConvCase& problem : conv_cases()) check(kernels(), problem);
}
TEST_P(ConvDirectTest, EveryTileOfChannelsAndPixels) {
  for (const int64_t channels : {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 47, 64, 65, 100}) {
    for (const int64_t width : {1, 2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 29}) {
      check(kernels(), {"tiles", 1, 1, 2, channels, {{1, 1}, {2, 2}, {width + 1, 2}}});
    }
  }
}
TEST_P(ConvDirectTest, StridesDilationsAndPadding) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    for (const int64_t stride : {1, 2, 3, 5}) {
      for (const int64_t dilation : {1, 2, 3}) {
        for (const int64_t kernel : {1, 2, 3, 5}) {
          check(kernels(),
                {"strides",
                 2,
                 1,
                 3,
                 5,
                 {{1, 1}, {11, kernel, stride, dilation, 2, 3}, {13, kernel, stride, dilation, 3, 1}},
                 mode});
        }
      }
    }
  }
}
TEST_P(ConvDirectTest, OneByOneKernelsOnAnyMap) {
  for (const int64_t size : {1, 4, 7, 14}) {
    check(kernels(), {"1x1", 2, 1, 40, 70, {{1, 1}, {size, 1}, {size, 1}}});
  }
  check(kernels(), {"1x1x1", 1, 1, 5, 7, {{3, 1}, {4, 1}, {5, 1}}});
  check(kernels(), {"1x1x1 over 2 depths", 1, 1, 5, 7, {{3, 2}, {4, 1}, {5, 1}}});
}
TEST_P(ConvDirectTest, ManyChannelsSumInBlocks) {
  for (const int64_t channels : {28, 29, 57, 256, 257, 600}) {
    check(kernels(), {"blocks", 1, 1, channels, 9, {{1, 1}, {4, 3, 1, 1, 1, 1}, {5, 3, 1, 1, 1, 1}}});
  }
  // Panels too large for cache, whose blocks pass by a band of rows: one band, and two.
  check(kernels(), {"one band", 1, 1, 600, 70, {{1, 1}, {5, 2, 2, 1, 1, 1}, {7, 2, 1, 1, 1, 0}}});
  check(kernels(),
        {"one band, weights beyond L2", 1, 1, 600, 90, {{1, 1}, {5, 2, 2, 1, 1, 1}, {7, 2, 1, 1, 1, 0}}});
  check(kernels(), {"two bands", 1, 1, 130, 70, {{1, 1}, {20, 3, 1, 1, 1, 1}, {19, 3, 1, 1, 1, 1}}});
  check(kernels(), {"small panels, weights beyond L2", 1, 1, 700, 290, {{1, 1}, {7, 1}, {9, 1}}});
  check(kernels(), {"large kernel", 1, 1, 2, 3, {{1, 1}, {40, 33, 1, 1, 16, 16}, {40, 33, 1, 1, 16, 16}}});
}
TEST_P(ConvDirectTest, WindowsThatSeeOnlyPadding) {
  check(kernels(), {"stride 1", 1, 1, 2, 3, {{1, 1}, {3, 2, 1, 1, 5, 6}, {3, 2, 1, 1, 6, 5}}});
  check(kernels(), {"strided", 1, 1, 2, 3, {{1, 1}, {3, 2, 4, 1, 9, 9}, {3, 3, 5, 2, 9, 9}}});
  check(kernels(), {"in depth", 1, 1, 2, 3, {{2, 2, 1, 4, 3, 3}, {3, 2}, {3, 2}}});
}
TEST_P(ConvDirectTest, RowsTooLongForOneFrame) {
  check(kernels(), {"long", 1, 1, 3, 5, {{1, 1}, {1, 1}, {70000, 5, 1, 1, 2, 2}}});
  check(kernels(),
        {"long, strided", 1, 1, 3, 5, {{1, 1}, {1, 1}, {70000, 5, 2, 3, 2, 9}}, PaddingMode::reflect});
}
TEST_P(ConvDirectTest, NanGoesWhereItsProductsGo) {
  const ConvPlan plan =
      forward_plan<float>({"nan", 1, 1, 1, 16, {{1, 1}, {1, 1}, {20, 3}}}, Algorithm::direct);
  std::vector<float> x = whole_numbers<float>(20, 1);
  x[10] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y =
      run_forward<float>(kernels(), plan, x, whole_numbers<float>(48, 2), nullptr, 0, 4);
  for (int i = 0; i < 16 * 18; ++i) EXPECT_EQ(std::isnan(y[i]), i % 18 >= 8 && i % 18 <= 10) << i;
}
TEST_P(ConvDirectTest, BitsDoNotDependOnThreads) {
  const ConvCase problems[] = {
      {"rows split", 2, 1, 48, 80, {{1, 1}, {30, 3, 1, 1, 1, 1}, {31, 3, 1, 1, 1, 1}}},
      {"panels split", 1, 1, 200, 400, {{1, 1}, {1, 1}, {7, 3, 1, 1, 1, 1}}},
      {"columns split", 1, 1, 20, 40, {{1, 1}, {1, 1}, {9000, 9}}},
      {"large weights", 1, 1, 700, 900, {{1, 1}, {7, 1}, {7, 1}}},
      {"large weights and rows", 1, 1, 256, 256, {{1, 1}, {28, 3, 2, 1, 1, 1}, {28, 3, 2, 1, 1, 1}}},
  };
  for (const ConvCase& problem : problems)
    check_threads(kernels(), forward_plan<float>(problem, Algorithm::direct));
}
CONVMAT_ON_EACH_ISA(ConvDirectTest);

}  // namespace
}  // namespace convmat::test
