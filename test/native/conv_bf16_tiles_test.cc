// Convolution of bfloat16 on tiles: on a model of the unit and, where this CPU has it, on the unit itself,
// whatever is faster. Whole numbers, which rounding leaves as they are and whose sums are exact: equality.
#include <cmath>
#include <limits>
#include <vector>

#include "conv/bf16_tiles.h"
#include "conv_check.h"
#include "runtime/bfloat16.h"
#include "runtime/epilogue.h"
#include "tile_model.h"

namespace convmat::test {
namespace {

class ConvBf16TilesTest : public EachIsa {
 protected:
  void SetUp() override {
    table_ = kernels();
    if (!give_tiles(table_)) GTEST_SKIP() << "the system grants no tiles";
  }

  std::vector<float> computed(const ConvPlan& plan, const std::vector<float>& x, const std::vector<float>& w,
                              const float* bias, double lo = -kInf, double hi = kInf,
                              const Epilogue* epilogue = nullptr) const {
    constexpr size_t kGuards = 80;
    Context context{&table_};
    context.epilogue = epilogue;
    std::vector<float> y(static_cast<size_t>(output_size(plan)) + kGuards, -777.0f);
    run_conv(context, plan, *pack_bf16_tiles(context, plan, w.data(), bias, lo, hi), x.data(), y.data());
    EXPECT_EQ(std::count(y.end() - kGuards, y.end(), -777.0f), kGuards) << "wrote beyond the result";
    y.resize(y.size() - kGuards);
    return y;
  }

  void check(const ConvCase& problem, const Fusion& fusion = {}) const {
    const ConvPlan plan = forward_plan<float>(problem, Algorithm::im2col);
    const std::vector<float> x = whole_numbers<float>(input_size(plan), 1),
                             w = whole_numbers<float>(weight_size(plan), 2),
                             bias = whole_numbers<float>(plan.out_channels, 3);
    std::vector<double> want = reference_forward(plan, widened(x), widened(w));
    fuse(plan, widened(bias), fusion, want);
    const std::vector<float> y =
        computed(plan, x, w, fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi);
    EXPECT_EQ(widened(y), want) << problem.name << ' ' << problem.in_channels << " -> "
                                << problem.out_channels;
  }
  KernelTable table_;
};

TEST_P(ConvBf16TilesTest, IsItsDefinition) {
  for (const ConvCase& problem : conv_cases()) {
    check(problem);
    check(problem, {false, -3, 20});
  }
}
TEST_P(ConvBf16TilesTest, EveryTileOfChannelsAndPixels) {
  for (const int64_t channels : {1, 15, 16, 17, 31, 32, 33, 49, 64, 65}) {
    for (const int64_t width : {1, 7, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 81}) {
      check({"rows", 1, 1, 2, channels, {{1, 1}, {2, 2}, {width + 1, 2}}});
      check({"columns", 2, 1, 3, channels, {{1, 1}, {1, 1}, {width, 1}}});
    }
  }
}
TEST_P(ConvBf16TilesTest, EveryTailOfInputChannels) {
  for (const int64_t channels : {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97}) {
    check({"tails", 1, 1, channels, 17, {{1, 1}, {4, 3, 1, 1, 1, 1}, {5, 3, 1, 1, 1, 1}}});
    check({"1x1", 2, 1, channels, 17, {{1, 1}, {4, 1}, {5, 1}}});
  }
}
TEST_P(ConvBf16TilesTest, StridesDilationsAndPadding) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    for (const int64_t stride : {1, 2, 4}) {
      for (const int64_t dilation : {1, 2, 3}) {
        for (const int64_t kernel : {1, 2, 3, 5}) {
          const AxisCase height = {11, kernel, stride, dilation, 2, 3},
                         width = {13, kernel, stride, dilation, 3, 1};
          check({"dense", 2, 1, 3, 5, {{1, 1}, height, width}, mode});
          check({"groups", 2, 3, 6, 6, {{1, 1}, height, width}, mode});
          check({"in depth", 1, 2, 4, 2, {{5, 2, 1, 2, 1, 1}, height, width}, mode});
        }
      }
    }
  }
}

TEST_P(ConvBf16TilesTest, OperandsAreRounded) {
  const ConvCase problem = {"rounded", 1, 1, 37, 21, {{1, 1}, {6, 3, 1, 1, 1, 1}, {17, 3, 1, 1, 1, 1}}};
  for (ConvCase conv : {problem, ConvCase{"1x1", 1, 1, 37, 21, {{1, 1}, {6, 1}, {17, 1}}}}) {
    const ConvPlan plan = forward_plan<float>(conv, Algorithm::im2col);
    std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                       w = normal_numbers<float>(weight_size(plan), 2);
    const std::vector<float> y = computed(plan, x, w, nullptr);
    round_to_bfloat16(x.data(), static_cast<int64_t>(x.size()), x.data());
    round_to_bfloat16(w.data(), static_cast<int64_t>(w.size()), w.data());
    EXPECT_EQ(computed(plan, x, w, nullptr), y);
    const std::vector<double> want = reference_forward(plan, widened(x), widened(w));
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], want[i], 1e-4) << i;
  }
}

// A product with one, in each place of a line: what the unit makes of values that are no usual numbers.
TEST_P(ConvBf16TilesTest, ValuesOutOfTheOrdinary) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values = {
      nan,     -nan,   inf,       -inf, 3.4e38f, -3.4e38f,    3.39e38f,    1e-38f,
      -1e-39f, 1e-45f, 0x1p-126f, 0.0f, -0.0f,   1.00390625f, 1.01171875f, 0x1.fffffep-127f};
  const auto pixels = static_cast<int64_t>(values.size());
  for (const int64_t channels : {1, 2, 33}) {
    const ConvPlan plan =
        forward_plan<float>({"values", 1, 1, channels, 3, {{1, 1}, {1, 1}, {pixels, 1}}}, Algorithm::im2col);
    std::vector<float> x(static_cast<size_t>(channels * pixels)), w(static_cast<size_t>(3 * channels));
    std::copy(values.begin(), values.end(), x.end() - pixels);
    for (int64_t o = 0; o < 3; ++o) w[(o + 1) * channels - 1] = 1;
    std::vector<float> want = values;
    round_to_bfloat16(want.data(), pixels, want.data());
    const std::vector<float> y = computed(plan, x, w, nullptr);
    for (size_t i = 0; i < y.size(); ++i) {
      const float expected = want[i % values.size()];
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(y[i])) << i;
      } else {
        EXPECT_EQ(y[i], expected) << i;
      }
    }
  }
}

TEST_P(ConvBf16TilesTest, NanPassesClamps) {
  const ConvPlan plan =
      forward_plan<float>({"clamped", 1, 1, 2, 2, {{1, 1}, {5, 3}, {5, 3}}}, Algorithm::im2col);
  std::vector<float> x(50, 1.0f);
  x[0] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y = computed(plan, x, std::vector<float>(36, 1.0f), nullptr, 0, 6);
  for (size_t i = 0; i < y.size(); ++i) {
    if (i % 9 == 0) {
      EXPECT_TRUE(std::isnan(y[i]));
    } else {
      EXPECT_EQ(y[i], 6);
    }
  }
}

// Adds one to what it is given: every element once.
class AddsOne final : public Epilogue {
 public:
  void run(void* first, int64_t rows, int64_t stride, int64_t n) const override {
    auto* const y = static_cast<float*>(first);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < n; ++i) y[row * stride + i] += 1;
    }
  }
};

TEST_P(ConvBf16TilesTest, ThreadsAndEpilogues) {
  ThreadPool& pool = ThreadPool::shared();
  const ConvCase problems[] = {
      {"rows split", 2, 1, 64, 64, {{1, 1}, {40, 3, 1, 1, 1, 1}, {41, 3, 1, 1, 1, 1}}},
      {"columns of rows split", 1, 1, 64, 40, {{1, 1}, {3, 3, 1, 1, 1, 1}, {9000, 3, 1, 1, 1, 1}}},
      {"panels split", 1, 1, 300, 400, {{1, 1}, {1, 1}, {7, 3, 1, 1, 1, 1}}},
      {"columns split", 1, 2, 200, 300, {{1, 1}, {20, 1}, {20, 1}}},
  };
  const AddsOne epilogue;
  for (const ConvCase& problem : problems) {
    const ConvPlan plan = forward_plan<float>(problem, Algorithm::im2col);
    const std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                             w = normal_numbers<float>(weight_size(plan), 2);
    pool.set_threads(1);
    const std::vector<float> one = computed(plan, x, w, nullptr);
    std::vector<float> more = one;
    for (float& value : more) value += 1;
    for (const int threads : {1, 3}) {
      pool.set_threads(threads);
      EXPECT_EQ(computed(plan, x, w, nullptr), one) << problem.name << ", threads: " << threads;
      EXPECT_EQ(computed(plan, x, w, nullptr, -kInf, kInf, &epilogue), more) << problem.name;
    }
  }
  pool.set_threads(0);
}
CONVMAT_ON_EACH_ISA(ConvBf16TilesTest);

}  // namespace
}  // namespace convmat::test
