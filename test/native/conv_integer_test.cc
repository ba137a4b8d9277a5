// Integer convolution: words of pairs and of quads, every mix of dtypes and zero points, extremes of the
// range.
#if defined(__linux__)
  #include <signal.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

#include "integer/conv.h"
#include "integer/ways.h"
#include "reference.h"
#include "runtime/thread_pool.h"
#include "runtime/tile_unit.h"
#include "support.h"
#include "tile_model.h"

namespace convmat::test {
namespace {

struct Dtypes {
  DType input, weight, output;
};
constexpr Dtypes kDtypes[] = {
    {DType::u8, DType::i8, DType::i32}, {DType::i8, DType::u8, DType::i32}, {DType::u8, DType::u8, DType::u8},
    {DType::i8, DType::i8, DType::i8},  {DType::u8, DType::i8, DType::i8},  {DType::i8, DType::i8, DType::u8},
};

// none: weights that are int8 about 0, or uint8 about 128, which quads take as they are.
enum class WeightZeros { none, per_channel };
enum class Data { random, extremes, lowest, highest };

constexpr uint8_t kGuard = 0xa5;
constexpr int64_t kGuards = 512;

int least(DType dtype) { return dtype == DType::i8 ? -128 : 0; }

// Values of the dtype's range.
std::vector<int> draw(int64_t count, DType dtype, Data data, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int> values(static_cast<size_t>(count));
  for (int& value : values) {
    const uint32_t bits = random();
    value = data == Data::random     ? static_cast<int>(bits >> 8 & 255)
            : data == Data::extremes ? (bits >> 8 & 1 ? 255 : 0)
            : data == Data::lowest   ? 0
                                     : 255;
    value += least(dtype);
  }
  return values;
}
std::vector<uint8_t> bytes_of(const std::vector<int>& values) {
  std::vector<uint8_t> bytes(values.size());
  for (size_t i = 0; i < values.size(); ++i) bytes[i] = static_cast<uint8_t>(values[i]);
  return bytes;
}

struct Problem {
  IntegerConvPlan plan;
  std::vector<int> x, w;
  std::vector<int32_t> zeros, bias;
  std::vector<double> multipliers;
};

Problem make(const ConvCase& conv, const Dtypes& dtypes, WeightZeros weight_zeros, Data data) {
  Problem p;
  p.plan.conv = plan_of(conv, ConvOp::forward, dtypes.input);
  p.plan.weight_dtype = dtypes.weight;
  p.plan.output_dtype = dtypes.output;
  p.plan.input_zero_point = least(dtypes.input) + 77;
  p.plan.output_zero_point = dtypes.output == DType::i32 ? 0 : least(dtypes.output) + 120;
  p.x = draw(input_size(p.plan.conv), dtypes.input, data, 1);
  p.w = draw(weight_size(p.plan.conv), dtypes.weight, data, 2);
  const double products = static_cast<double>(weight_size(p.plan.conv)) /
                          static_cast<double>(std::max<int64_t>(1, p.plan.conv.out_channels));
  for (int64_t o = 0; o < p.plan.conv.out_channels; ++o) {
    const int centre = dtypes.weight == DType::i8 ? 0 : 128;
    p.zeros.push_back(
        weight_zeros == WeightZeros::none ? centre : least(dtypes.weight) + static_cast<int>(o * 37 % 256));
    p.bias.push_back(static_cast<int32_t>(o * 7919 % 2001 - 1000));
    p.multipliers.push_back((1 + static_cast<double>(o % 5)) / (200 * std::sqrt(products + 1)));
  }
  return p;
}

// From sums in double, which are exact.
std::vector<int64_t> expected(const Problem& p, bool with_bias) {
  const ConvPlan& conv = p.plan.conv;
  const int64_t per_channel = conv.out_channels == 0 ? 1 : weight_size(conv) / conv.out_channels;
  const int64_t plane = conv.axis[0].out * conv.axis[1].out * conv.axis[2].out;
  std::vector<double> x(p.x.begin(), p.x.end()), w(p.w.begin(), p.w.end());
  for (double& value : x) value -= p.plan.input_zero_point;
  for (size_t i = 0; i < w.size(); ++i) w[i] -= p.zeros[i / per_channel];
  const std::vector<double> sums = reference_forward(conv, x, w);
  std::vector<int64_t> y(sums.size());
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t o = static_cast<int64_t>(i) / plane % conv.out_channels;
    const double sum = sums[i] + (with_bias ? p.bias[o] : 0);
    if (p.plan.output_dtype == DType::i32) {
      y[i] = static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(sum)));
    } else {
      const double low = least(p.plan.output_dtype);
      const double product =
          p.plan.scaled_in_float
              ? static_cast<double>(static_cast<float>(sum) * static_cast<float>(p.multipliers[o]))
              : sum * p.multipliers[o];
      const double rounded = std::nearbyint(product) + p.plan.output_zero_point;
      y[i] = static_cast<int64_t>(std::clamp(rounded, low, low + 255));
    }
  }
  return y;
}

// With products in double, and, of results of bytes, with those of floats.
std::vector<Problem> scalings(const Problem& problem) {
  std::vector<Problem> all{problem};
  if (problem.plan.output_dtype == DType::i32) return all;
  all.push_back(problem);
  all.back().plan.scaled_in_float = true;
  return all;
}

using PackFn = decltype(pack_integer_tiles);

std::vector<int64_t> computed(const KernelTable& kernels, const Problem& p, bool with_bias,
                              PackFn* pack = nullptr) {
  const bool scaled = p.plan.output_dtype != DType::i32;
  const std::vector<uint8_t> x = bytes_of(p.x), w = bytes_of(p.w);
  const int64_t count = output_size(p.plan.conv), size = count * (scaled ? 1 : 4);
  std::vector<uint8_t> bytes(size + kGuards, kGuard);
  const Context context{&kernels};
  const int32_t* const bias = with_bias ? p.bias.data() : nullptr;
  const double* const multipliers = scaled ? p.multipliers.data() : nullptr;
  const auto packed = pack != nullptr
                          ? pack(context, p.plan, w.data(), p.zeros.data(), bias, multipliers)
                          : pack_integer_conv(context, p.plan, w.data(), p.zeros.data(), bias, multipliers);
  packed->run(context, x.data(), bytes.data());
  EXPECT_EQ(std::count(bytes.begin() + size, bytes.end(), kGuard), kGuards) << "wrote beyond the result";
  std::vector<int64_t> y(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    if (p.plan.output_dtype == DType::i32) {
      uint32_t word = 0;
      for (int k = 3; k >= 0; --k) word = word << 8 | bytes[4 * i + k];
      y[i] = static_cast<int32_t>(word);
    } else {
      y[i] = p.plan.output_dtype == DType::i8 ? static_cast<int8_t>(bytes[i]) : bytes[i];
    }
  }
  return y;
}

class ConvIntegerTest : public EachIsa {
 protected:
  // With quads where this CPU has them, and without.
  std::vector<KernelTable> tables() const {
    std::vector<KernelTable> all{kernels()};
    if (kernels().integer.quad_tile != nullptr) {
      all.push_back(kernels());
      all.back().integer.quad_line = nullptr;
      all.back().integer.quad_tile = nullptr;
    }
    return all;
  }
  void check(const ConvCase& conv, const Dtypes& dtypes, WeightZeros zeros, Data data = Data::random) const {
    const bool with_bias = dtypes.output != DType::i32;
    for (const Problem& problem : scalings(make(conv, dtypes, zeros, data))) {
      const std::vector<int64_t> want = expected(problem, with_bias);
      for (const KernelTable& table : tables()) {
        EXPECT_EQ(computed(table, problem, with_bias), want)
            << conv.name << ' ' << conv.in_channels << " -> " << conv.out_channels << ", "
            << (table.integer.quad_tile != nullptr ? "quads" : "pairs")
            << (problem.plan.scaled_in_float ? ", in float" : "");
      }
    }
  }
};

TEST_P(ConvIntegerTest, IsItsDefinition) {
  for (const ConvCase& conv : conv_cases()) {
    for (const Dtypes& dtypes : kDtypes) check(conv, dtypes, WeightZeros::none);
    check(conv, kDtypes[0], WeightZeros::per_channel);
    check(conv, kDtypes[2], WeightZeros::per_channel);
  }
}
TEST_P(ConvIntegerTest, EveryTileOfChannelsAndPixels) {
  for (const int64_t channels : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65}) {
    for (const int64_t width : {1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 29}) {
      const ConvCase conv = {"tiles", 1, 1, 2, channels, {{1, 1}, {2, 2}, {width + 1, 2}}};
      check(conv, kDtypes[0], WeightZeros::none);
      check(conv, kDtypes[3], WeightZeros::per_channel);
    }
  }
}
TEST_P(ConvIntegerTest, EveryTailOfInputChannels) {
  for (const int64_t channels : {0, 1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257}) {
    const ConvCase conv = {"tails", 1, 1, channels, 17, {{1, 1}, {4, 3, 1, 1, 1, 1}, {5, 3, 1, 1, 1, 1}}};
    const ConvCase pointwise = {"1x1", 2, 1, channels, 17, {{1, 1}, {4, 1}, {5, 1}}};
    for (const WeightZeros zeros : {WeightZeros::none, WeightZeros::per_channel}) {
      check(conv, kDtypes[1], zeros);
      check(conv, kDtypes[4], zeros);
      check(pointwise, kDtypes[2], zeros);
    }
  }
}
TEST_P(ConvIntegerTest, StridesDilationsAndPadding) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    for (const int64_t stride : {1, 2, 3, 5}) {
      for (const int64_t dilation : {1, 2, 3}) {
        for (const int64_t kernel : {1, 2, 3, 5}) {
          const AxisCase height = {11, kernel, stride, dilation, 2, 3},
                         width = {13, kernel, stride, dilation, 3, 1};
          check({"dense", 2, 1, 3, 5, {{1, 1}, height, width}, mode}, kDtypes[0], WeightZeros::none);
          check({"by rows", 2, 3, 3, 6, {{1, 1}, height, width}, mode}, kDtypes[2], WeightZeros::per_channel);
          check({"in depth", 1, 2, 2, 2, {{5, 2, 1, 2, 1, 1}, height, width}, mode}, kDtypes[3],
                WeightZeros::none);
        }
      }
    }
  }
}
TEST_P(ConvIntegerTest, GroupsOfOneInputChannel) {
  for (const int64_t per_group : {1, 2, 3, 4, 7, 8, 15, 16, 17}) {
    for (const int64_t width : {1, 3, 4, 15, 16, 17, 63, 64, 65, 80}) {
      const ConvCase conv = {
          "by rows", 1, 2, 2, 2 * per_group, {{1, 1}, {4, 3, 1, 1, 1, 1}, {width, 3, 1, 1, 1, 1}}};
      check(conv, kDtypes[0], WeightZeros::per_channel);
      check(conv, kDtypes[5], WeightZeros::none);
    }
  }
}
TEST_P(ConvIntegerTest, WindowsThatSeeOnlyPadding) {
  for (const int64_t groups : {1, 2}) {
    check({"stride 1", 1, groups, 2, 2, {{1, 1}, {3, 2, 1, 1, 5, 6}, {3, 2, 1, 1, 6, 5}}}, kDtypes[2],
          WeightZeros::per_channel);
    check({"strided", 1, groups, 2, 2, {{1, 1}, {3, 2, 4, 1, 9, 9}, {3, 3, 5, 2, 9, 9}}}, kDtypes[0],
          WeightZeros::none);
    check({"in depth", 1, groups, 2, 2, {{2, 2, 1, 4, 3, 3}, {3, 2}, {3, 2}}}, kDtypes[3], WeightZeros::none);
  }
}
// Sums of two products in 16 bits would saturate here.
TEST_P(ConvIntegerTest, ExtremesOfTheRange) {
  const ConvCase conv = {"extremes", 1, 1, 37, 33, {{1, 1}, {6, 3, 1, 1, 1, 1}, {17, 3, 1, 1, 1, 1}}};
  const ConvCase by_rows = {"by rows", 1, 5, 5, 5, {{1, 1}, {6, 3, 1, 1, 1, 1}, {17, 3, 1, 1, 1, 1}}};
  for (const Dtypes& dtypes : kDtypes) {
    for (const Data data : {Data::extremes, Data::lowest, Data::highest}) {
      for (const WeightZeros zeros : {WeightZeros::none, WeightZeros::per_channel}) {
        check(conv, dtypes, zeros, data);
        check(by_rows, dtypes, zeros, data);
      }
    }
  }
}
// 255 * 255 * 33025 is the last sum below 2^31; later ones wrap.
TEST_P(ConvIntegerTest, LongSumsToTheLastBitAndBeyond) {
  for (const int64_t channels : {33025, 33026, 66052, 70001}) {
    const ConvCase conv = {"long", 1, 1, channels, 2, {{1, 1}, {1, 1}, {2, 1}}};
    for (const Data data : {Data::lowest, Data::highest, Data::extremes}) {
      check(conv, kDtypes[0], WeightZeros::per_channel, data);
      check(conv, kDtypes[1], WeightZeros::none, data);
    }
  }
}
TEST_P(ConvIntegerTest, RowsTooLongForOneFrame) {
  check({"long", 1, 1, 3, 5, {{1, 1}, {1, 1}, {140000, 5, 1, 1, 2, 2}}}, kDtypes[0], WeightZeros::none);
  check({"long, strided", 1, 1, 3, 5, {{1, 1}, {1, 1}, {140000, 5, 2, 3, 2, 9}}, PaddingMode::reflect},
        kDtypes[2], WeightZeros::per_channel);
  check({"long, by rows", 1, 3, 3, 3, {{1, 1}, {1, 1}, {140000, 5, 1, 1, 2, 2}}}, kDtypes[0],
        WeightZeros::none);
}
TEST_P(ConvIntegerTest, ThreadsDoNotMatter) {
  ThreadPool& pool = ThreadPool::shared();
  const ConvCase problems[] = {
      {"rows split", 2, 1, 16, 40, {{1, 1}, {40, 3, 1, 1, 1, 1}, {41, 3, 1, 1, 1, 1}}},
      {"panels split", 1, 1, 400, 400, {{1, 1}, {1, 1}, {7, 3, 1, 1, 1, 1}}},
      {"groups split", 1, 150, 150, 150, {{1, 1}, {20, 3, 1, 1, 1, 1}, {20, 3, 1, 1, 1, 1}}},
  };
  for (const ConvCase& conv : problems) {
    const Problem problem = make(conv, kDtypes[2], WeightZeros::per_channel, Data::random);
    const std::vector<int64_t> want = expected(problem, true);
    for (const int threads : {1, 2, 3, 8}) {
      pool.set_threads(threads);
      for (const KernelTable& table : tables()) {
        EXPECT_EQ(computed(table, problem, true), want) << conv.name << ", threads: " << threads;
      }
    }
  }
  pool.set_threads(0);
}
CONVMAT_ON_EACH_ISA(ConvIntegerTest);

// The way of tiles on a model of the unit and, where this CPU has it, on the unit itself, whatever is faster.
class ConvIntegerTilesTest : public EachIsa {
 protected:
  void SetUp() override {
    table_ = kernels();
    if (!give_tiles(table_)) GTEST_SKIP() << "the system grants no tiles";
  }
  void check(const ConvCase& conv, const Dtypes& dtypes, WeightZeros zeros, Data data = Data::random) const {
    const bool with_bias = dtypes.output != DType::i32;
    for (const Problem& problem : scalings(make(conv, dtypes, zeros, data))) {
      EXPECT_EQ(computed(table_, problem, with_bias, pack_integer_tiles), expected(problem, with_bias))
          << conv.name << ' ' << conv.in_channels << " -> " << conv.out_channels
          << (problem.plan.scaled_in_float ? ", in float" : "");
    }
  }
  KernelTable table_;
};

TEST_P(ConvIntegerTilesTest, IsItsDefinition) {
  for (const ConvCase& conv : conv_cases()) {
    for (const Dtypes& dtypes : kDtypes) check(conv, dtypes, WeightZeros::none);
    check(conv, kDtypes[0], WeightZeros::per_channel);
    check(conv, kDtypes[2], WeightZeros::per_channel);
  }
}
TEST_P(ConvIntegerTilesTest, EveryTileOfChannelsAndPixels) {
  for (const int64_t channels : {1, 15, 16, 17, 31, 32, 33, 49, 64, 65}) {
    for (const int64_t width : {1, 7, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 81}) {
      check({"rows", 1, 1, 2, channels, {{1, 1}, {2, 2}, {width + 1, 2}}}, kDtypes[0], WeightZeros::none);
      check({"rows", 1, 1, 2, channels, {{1, 1}, {2, 1}, {width, 2, 1, 1, 1, 0}}}, kDtypes[3],
            WeightZeros::per_channel);
      check({"columns", 2, 1, 3, channels, {{1, 1}, {1, 1}, {width, 1}}}, kDtypes[4], WeightZeros::none);
      check({"columns", 1, 1, 3, channels, {{1, 1}, {1, 1}, {width, 1}}}, kDtypes[2],
            WeightZeros::per_channel);
    }
  }
}
TEST_P(ConvIntegerTilesTest, EveryTailOfInputChannels) {
  for (const int64_t channels : {1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 127, 128, 129}) {
    const ConvCase conv = {"tails", 1, 1, channels, 17, {{1, 1}, {4, 3, 1, 1, 1, 1}, {5, 3, 1, 1, 1, 1}}};
    const ConvCase pointwise = {"1x1", 2, 1, channels, 17, {{1, 1}, {4, 1}, {5, 1}}};
    for (const WeightZeros zeros : {WeightZeros::none, WeightZeros::per_channel}) {
      for (const Dtypes& dtypes : kDtypes) {
        check(conv, dtypes, zeros);
        check(pointwise, dtypes, zeros);
      }
    }
  }
}
TEST_P(ConvIntegerTilesTest, StridesDilationsAndPadding) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    for (const int64_t stride : {1, 2, 4}) {
      for (const int64_t dilation : {1, 2, 3}) {
        for (const int64_t kernel : {1, 2, 3, 5}) {
          const AxisCase height = {11, kernel, stride, dilation, 2, 3},
                         width = {13, kernel, stride, dilation, 3, 1};
          check({"dense", 2, 1, 3, 5, {{1, 1}, height, width}, mode}, kDtypes[0], WeightZeros::none);
          check({"groups", 2, 3, 6, 6, {{1, 1}, height, width}, mode}, kDtypes[2], WeightZeros::per_channel);
          check({"in depth", 1, 2, 4, 2, {{5, 2, 1, 2, 1, 1}, height, width}, mode}, kDtypes[3],
                WeightZeros::none);
        }
      }
    }
  }
}
TEST_P(ConvIntegerTilesTest, ExtremesOfTheRange) {
  const ConvCase conv = {"extremes", 1, 1, 37, 33, {{1, 1}, {6, 3, 1, 1, 1, 1}, {17, 3, 1, 1, 1, 1}}};
  const ConvCase pointwise = {"1x1", 1, 1, 70, 33, {{1, 1}, {6, 1}, {17, 1}}};
  for (const Dtypes& dtypes : kDtypes) {
    for (const Data data : {Data::extremes, Data::lowest, Data::highest}) {
      for (const WeightZeros zeros : {WeightZeros::none, WeightZeros::per_channel}) {
        check(conv, dtypes, zeros, data);
        check(pointwise, dtypes, zeros, data);
      }
    }
  }
}
TEST_P(ConvIntegerTilesTest, LongSumsAndRows) {
  check({"long", 1, 1, 33026, 2, {{1, 1}, {1, 1}, {2, 1}}}, kDtypes[0], WeightZeros::per_channel,
        Data::highest);
  check({"long", 1, 1, 3, 5, {{1, 1}, {1, 1}, {40000, 5, 2, 3, 2, 9}}, PaddingMode::reflect}, kDtypes[2],
        WeightZeros::per_channel);
}
TEST_P(ConvIntegerTilesTest, ThreadsDoNotMatter) {
  ThreadPool& pool = ThreadPool::shared();
  const ConvCase problems[] = {
      {"rows split", 2, 1, 64, 64, {{1, 1}, {40, 3, 1, 1, 1, 1}, {41, 3, 1, 1, 1, 1}}},
      {"panels split", 1, 1, 300, 400, {{1, 1}, {1, 1}, {7, 3, 1, 1, 1, 1}}},
      {"columns split", 1, 1, 200, 300, {{1, 1}, {20, 1}, {20, 1}}},
  };
  for (const ConvCase& conv : problems) {
    const Problem problem = make(conv, kDtypes[2], WeightZeros::per_channel, Data::random);
    const std::vector<int64_t> want = expected(problem, true);
    for (const int threads : {1, 3}) {
      pool.set_threads(threads);
      EXPECT_EQ(computed(table_, problem, true, pack_integer_tiles), want)
          << conv.name << ", threads: " << threads;
    }
  }
  pool.set_threads(0);
}
CONVMAT_ON_EACH_ISA(ConvIntegerTilesTest);

#if defined(__linux__)
// In a process of its own, which nobody has asked for tiles: the thread's stack for signals has no room for
// their state, so that the system refuses.
void convolve_with_a_small_signal_stack(const KernelTable* kernels) {
  static char stack[8 << 10];
  stack_t small{};
  small.ss_sp = stack;
  small.ss_size = sizeof stack;
  if (sigaltstack(&small, nullptr) != 0) std::exit(2);
  const ConvCase conv = {"small stack", 1, 1, 64, 32, {{1, 1}, {8, 3, 1, 1, 1, 1}, {8, 3, 1, 1, 1, 1}}};
  const Problem problem = make(conv, kDtypes[2], WeightZeros::none, Data::random);
  const bool right = computed(*kernels, problem, true) == expected(problem, true);
  std::exit(right && !tiles_permitted() ? 0 : 1);
}
TEST(Tiles, RefusedAreAsIfThereWereNone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const KernelTable* kernels : available_kernels()) {
    if (kernels->integer.tiles == nullptr) continue;
    EXPECT_EXIT(convolve_with_a_small_signal_stack(kernels), testing::ExitedWithCode(0), "");
    return;
  }
  GTEST_SKIP() << "no tiles here";
}
#endif

}  // namespace
}  // namespace convmat::test
