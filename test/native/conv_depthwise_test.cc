// Depthwise convolution: every edge of a vector and of a tile of rows, kernel, stride and padding.
#include "conv_check.h"

namespace convmat::test {
namespace {

void check(const KernelTable& kernels, const ConvCase& problem) {
  check_exactly<float>(kernels, problem, Algorithm::depthwise);
  check_exactly<double>(kernels, problem, Algorithm::depthwise, {false, -20, 30});
}

using ConvDepthwiseTest = EachIsa;

TEST_P(ConvDepthwiseTest, EveryEdgeOfATile) {
  for (const int64_t kernel : {3, 5}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t height : {1, 2, 6, 7, 8, 14, 15}) {
        for (const int64_t width : {1, 2, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 49, 70}) {
          const int64_t padding = kernel / 2;
          check(kernels(), {"tiles",
                            1,
                            2,
                            2,
                            2,
                            {{1, 1},
                             {height, kernel, stride, 1, padding, padding},
                             {width, kernel, stride, 1, padding, padding}}});
        }
      }
    }
  }
}
TEST_P(ConvDepthwiseTest, StridesThatDiffer) {
  for (const int64_t kernel : {3, 5}) {
    for (const int64_t down : {1, 2}) {
      for (const int64_t height : {1, 7, 16}) {
        for (const int64_t width : {1, 8, 15, 33, 70}) {
          const int64_t across = 3 - down, padding = kernel / 2;
          check(kernels(), {"strides",
                            1,
                            2,
                            2,
                            2,
                            {{1, 1},
                             {height, kernel, down, 1, padding, padding},
                             {width, kernel, across, 1, padding, padding}}});
        }
      }
    }
  }
}
TEST_P(ConvDepthwiseTest, AnyPaddingAndMultiplier) {
  for (const int64_t stride : {1, 2}) {
    for (const int64_t before : {0, 1, 2, 9}) {
      for (const int64_t after : {0, 1, 20}) {
        check(kernels(), {"padding",
                          2,
                          3,
                          3,
                          6,
                          {{1, 1}, {9, 3, stride, 1, after, before}, {21, 3, stride, 1, before, after}}});
      }
    }
  }
}
TEST_P(ConvDepthwiseTest, NanGoesWhereItsProductsGo) {
  const ConvPlan plan = forward_plan<float>(
      {"nan", 1, 1, 1, 1, {{1, 1}, {9, 3, 1, 1, 1, 1}, {40, 3, 1, 1, 1, 1}}}, Algorithm::depthwise);
  std::vector<float> x = whole_numbers<float>(360, 1);
  x[4 * 40 + 17] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y =
      run_forward<float>(kernels(), plan, x, whole_numbers<float>(9, 2), nullptr, 0, 4);
  for (int i = 0; i < 360; ++i) {
    EXPECT_EQ(std::isnan(y[i]), std::abs(i / 40 - 4) <= 1 && std::abs(i % 40 - 17) <= 1) << i;
  }
}
TEST_P(ConvDepthwiseTest, BitsDoNotDependOnThreads) {
  const ConvCase problems[] = {
      {"planes split", 2, 100, 100, 100, {{1, 1}, {40, 3, 1, 1, 1, 1}, {41, 3, 1, 1, 1, 1}}},
      {"rows split", 1, 1, 1, 1, {{1, 1}, {999, 5, 1, 1, 2, 2}, {1001, 5, 1, 1, 2, 2}}},
  };
  for (const ConvCase& problem : problems) {
    check_threads(kernels(), forward_plan<float>(problem, Algorithm::depthwise));
  }
}
CONVMAT_ON_EACH_ISA(ConvDepthwiseTest);

}  // namespace
}  // namespace convmat::test
