// Winograd's convolution: every tile edge, padding mode and channel count, its error, and where non-numbers
// come out.
#include "conv_check.h"

namespace convmat::test {
namespace {

// Root-mean-square error relative to the root-mean-square result.
template <typename T>
double rms_error(const std::vector<T>& y, const std::vector<double>& expected) {
  double error = 0, size = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    error += (y[i] - expected[i]) * (y[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return size == 0 ? 0 : std::sqrt(error / size);
}

ConvCase layer(int64_t in_channels, int64_t out_channels, int64_t height, int64_t width, int64_t padding = 1,
               PaddingMode mode = PaddingMode::zeros, int64_t batch = 1, int64_t groups = 1) {
  return {"layer",      batch,
          groups,       in_channels,
          out_channels, {{1, 1}, {height, 3, 1, 1, padding, padding}, {width, 3, 1, 1, padding, padding}},
          mode};
}

// The largest error of any element, relative to the largest result.
template <typename T>
void check(const KernelTable& kernels, const ConvCase& problem, int32_t m, const Fusion& fusion = {}) {
  const ConvPlan plan = forward_plan<T>(problem, Algorithm::winograd, m);
  const std::vector<T> x = normal_numbers<T>(input_size(plan), 1),
                       w = normal_numbers<T>(weight_size(plan), 2);
  const std::vector<T> bias = normal_numbers<T>(plan.out_channels, 3);
  std::vector<double> expected = reference_forward(plan, widened(x), widened(w));
  double largest = 0;  // before clamping: errors are those of the sums
  for (const double value : expected) largest = std::fmax(largest, std::fabs(value));
  fuse(plan, widened(bias), fusion, expected);
  const std::vector<T> y =
      run_forward(kernels, plan, x, w, fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi);
  const double unit = std::numeric_limits<T>::epsilon();
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], expected[i], 64 * unit * largest)
        << "F" << m << " " << plan.in_channels << "->" << plan.out_channels << " " << plan.axis[1].in << "x"
        << plan.axis[2].in << " mode " << static_cast<int>(plan.padding_mode) << " at " << i;
  }
}

void check_all(const KernelTable& kernels, const ConvCase& problem) {
  for (const int32_t m : {2, 4}) {
    check<float>(kernels, problem, m);
    check<double>(kernels, problem, m, {false, -2, 3});
  }
}

using ConvWinogradTest = EachIsa;

TEST_P(ConvWinogradTest, EveryEdgeOfATile) {
  for (const int64_t height : {1, 2, 3, 4, 5, 8, 9}) {
    for (const int64_t width : {1, 2, 4, 7, 8, 9, 13, 17, 33})
      check_all(kernels(), layer(3, 5, height, width));
  }
}
TEST_P(ConvWinogradTest, EveryEdgeOfAVector) {
  for (const int64_t in_channels : {1, 2, 4, 8, 9, 16, 17}) {
    for (const int64_t out_channels : {1, 3, 8, 15, 16, 17, 31, 32, 33, 65}) {
      check_all(kernels(), layer(in_channels, out_channels, 6, 10));
    }
  }
}
TEST_P(ConvWinogradTest, PaddingModes) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    for (const int64_t padding : {0, 1, 2, 5}) check_all(kernels(), layer(5, 6, 7, 9, padding, mode));
    check_all(kernels(), {"one side", 2, 1, 3, 4, {{1, 1}, {7, 3, 1, 1, 0, 2}, {300, 3, 1, 1, 3, 0}}, mode});
  }
}
TEST_P(ConvWinogradTest, BatchesGroupsAndManyBlocks) {
  check_all(kernels(), layer(12, 18, 9, 11, 1, PaddingMode::zeros, 3, 2));
  check_all(kernels(), layer(4, 4, 40, 300));
  check_all(kernels(), layer(20, 40, 57, 30, 0));
}
// Weights beyond the cache, by which several panels meet a point's inputs: all at once, and not quite.
TEST_P(ConvWinogradTest, ManyPanels) {
  check_all(kernels(), layer(65, 250, 14, 6));
  check<float>(kernels(), layer(65, 264, 14, 32), 2);
  check<float>(kernels(), layer(33, 264, 28, 32), 4);
}
TEST_P(ConvWinogradTest, ManyChannelsSumInBlocks) {
  for (const int64_t channels : {63, 64, 65, 128, 200}) check_all(kernels(), layer(channels, 7, 6, 6));
  check<float>(kernels(), layer(2000, 3, 5, 5), 4);
}

// The bounds of docs/accuracy.md; direct and F2 err no more than im2col does.
TEST_P(ConvWinogradTest, ErrorsKeepTheirBounds) {
  for (const int64_t channels : {16, 64, 128, 256}) {
    const ConvCase problem = layer(channels, 16, 14, 14);
    const ConvPlan plan = forward_plan<float>(problem, Algorithm::winograd);
    const std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                             w = normal_numbers<float>(weight_size(plan), 2);
    const std::vector<double> expected = reference_forward(plan, widened(x), widened(w));
    const auto error = [&](Algorithm algorithm, int32_t variant) {
      const ConvPlan p = forward_plan<float>(problem, algorithm, variant);
      const double rms = rms_error(run_forward<float>(kernels(), p, x, w, nullptr), expected);
      const std::string name = "rms_e-9_channels_" + std::to_string(channels) + "_algorithm_" +
                               std::to_string(static_cast<int>(algorithm)) + "_" + std::to_string(variant);
      RecordProperty(name, static_cast<int>(rms * 1e9));
      return rms;
    };
    const double im2col = error(Algorithm::im2col, 0);
    EXPECT_LE(im2col, 8e-7) << channels;
    EXPECT_LE(error(Algorithm::direct, 0), std::fmin(im2col, 4e-7)) << channels;
    EXPECT_LE(error(Algorithm::winograd, 2), std::fmin(im2col, 4e-7)) << channels;
    EXPECT_LE(error(Algorithm::winograd, 4), 1e-6) << channels;
  }
}

TEST_P(ConvWinogradTest, NonNumbersComeOutWhereSumsPutThem) {
  for (const int32_t m : {2, 4}) {
    for (const PaddingMode mode :
         {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
      check_non_numbers<float>(kernels(),
                               forward_plan<float>(layer(2, 3, 21, 22, 1, mode, 2), Algorithm::winograd, m));
    }
    check_non_numbers<double>(
        kernels(),
        forward_plan<double>(layer(18, 34, 9, 40, 2, PaddingMode::zeros, 1, 2), Algorithm::winograd, m));
  }
}
TEST_P(ConvWinogradTest, HugeNumbersDoNotOverflowInTransforms) {
  for (const int32_t m : {2, 4}) {
    check_huge_numbers<float>(kernels(), forward_plan<float>(layer(2, 3, 21, 22), Algorithm::winograd, m));
    check_huge_numbers<double>(kernels(), forward_plan<double>(layer(2, 3, 9, 9), Algorithm::winograd, m));
  }
}
// One value of dy replaced: what is not a number comes out where sums put it, and nothing else changes much.
template <typename T>
void check_input_grad(const KernelTable& kernels, const ConvCase& problem, int32_t m, T replacement = T{1}) {
  ConvPlan plan = forward_plan<T>(problem, Algorithm::winograd, m);
  plan.op = ConvOp::input_grad;
  std::vector<T> dy = normal_numbers<T>(output_size(plan), 1);
  const std::vector<T> w = normal_numbers<T>(weight_size(plan), 2);
  dy[dy.size() / 2] = replacement;
  const std::vector<double> expected = reference_input_grad(plan, widened(dy), widened(w));
  const double tolerance =
      64 * std::numeric_limits<T>::epsilon() * std::sqrt(9.0 * static_cast<double>(plan.out_channels));
  std::vector<T> results[2];
  for (const Ownership ownership : {Ownership::owned, Ownership::borrowed}) {
    const Context context{&kernels, nullptr, ownership};
    std::vector<T>& dx = results[ownership == Ownership::borrowed];
    dx.resize(static_cast<size_t>(input_size(plan)));
    run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, -kInf, kInf), dy.data(), dx.data());
    for (size_t i = 0; i < dx.size(); ++i) {
      if (std::isnan(expected[i])) {
        ASSERT_TRUE(std::isnan(dx[i])) << i << ": " << dx[i];
      } else {
        ASSERT_NEAR(dx[i], expected[i], tolerance)
            << i << (ownership == Ownership::borrowed ? " borrowed" : " owned");
      }
    }
  }
  if (!std::isnan(replacement)) {
    EXPECT_EQ(results[0], results[1]);
  }
}

TEST_P(ConvWinogradTest, InputGradientsTakeTheForwardWeights) {
  for (const int32_t m : {2, 4}) {
    for (const int64_t channels : {1, 15, 17, 33}) {
      SCOPED_TRACE(channels);
      check_input_grad<float>(kernels(), layer(channels, 2 * channels, 9, 6), m);
      check_input_grad<double>(kernels(), layer(2 * channels, channels, 9, 6, 2), m);
      check_input_grad<float>(kernels(), layer(3 * channels, 6 * channels, 5, 7, 0, PaddingMode::zeros, 2, 3),
                              m, std::numeric_limits<float>::quiet_NaN());
    }
    check_input_grad<double>(kernels(), layer(3, 5, 6, 7, 2, PaddingMode::circular, 2), m);
    check_input_grad<float>(kernels(), layer(20, 3, 80, 90), m);  // too many tiles for one block
  }
}

TEST_P(ConvWinogradTest, OneRunGivesTheSameBits) {
  for (const int32_t m : {2, 4}) {
    for (const int64_t size : {4, 14, 60}) {
      const ConvPlan plan = forward_plan<float>(layer(130, 70, size, size, 1, PaddingMode::zeros, 1, 2),
                                                Algorithm::winograd, m);
      const std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                               w = normal_numbers<float>(weight_size(plan), 2),
                               bias = normal_numbers<float>(plan.out_channels, 3);
      const std::vector<float> expected = run_forward<float>(kernels(), plan, x, w, bias.data());
      for (const int threads : {1, 2, 3}) {
        ThreadPool::shared().set_threads(threads);
        const Context context{&kernels(), nullptr, Ownership::borrowed};
        std::vector<float> y(expected.size());
        run_conv(context, plan, *pack_conv(context, plan, w.data(), bias.data(), -kInf, kInf), x.data(),
                 y.data());
        EXPECT_EQ(y, expected) << size << " on " << threads;
      }
      ThreadPool::shared().set_threads(0);
    }
  }
}

// Weights beyond L2 and beyond L3, over tiles that L2 holds at once, that it does not, and that are too many
// for scratch memory: each image alone is what it is in a batch.
TEST_P(ConvWinogradTest, BlocksOfAnySizeGiveTheSameBits) {
  constexpr int64_t kBatch = 5;
  struct Size {
    int64_t out_channels, height, width;
  };
  for (const auto& [out_channels, height, width] : {Size{96, 8, 16},
                                                    {96, 12, 12},
                                                    {288, 16, 16},
                                                    {288, 12, 24},
                                                    {288, 16, 28},
                                                    {288, 16, 32},
                                                    {288, 36, 24}}) {
    const ConvPlan plan = forward_plan<float>(
        layer(512, out_channels, height, width, 1, PaddingMode::zeros, kBatch), Algorithm::winograd, 4);
    ConvPlan one = plan;
    one.batch = 1;
    const std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                             w = normal_numbers<float>(weight_size(plan), 2);
    const std::vector<float> expected = run_forward<float>(kernels(), plan, x, w, nullptr);
    const int64_t in = input_size(one), out = out_channels * height * width;
    for (const int64_t image : {int64_t{0}, kBatch - 1}) {
      const std::vector<float> own(x.begin() + image * in, x.begin() + (image + 1) * in);
      const std::vector<float> y = run_forward<float>(kernels(), one, own, w, nullptr);
      EXPECT_TRUE(std::equal(y.begin(), y.end(), expected.begin() + image * out)) << height << "x" << width;
    }
  }
}

TEST_P(ConvWinogradTest, BitsDoNotDependOnThreads) {
  for (const int32_t m : {2, 4}) {
    check_threads(kernels(), forward_plan<float>(layer(48, 80, 60, 61), Algorithm::winograd, m));
    check_threads(kernels(), forward_plan<float>(layer(130, 200, 14, 13), Algorithm::winograd, m));
    check_threads(kernels(), forward_plan<float>(layer(96, 96, 7, 30, 1, PaddingMode::zeros, 5, 3),
                                                 Algorithm::winograd, m));
  }
}
CONVMAT_ON_EACH_ISA(ConvWinogradTest);

}  // namespace
}  // namespace convmat::test
