// Networks from words: what steps compute, what is refused, and that a lie never leads outside the operands.
#include "network/network.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

constexpr double kNoIndex = -1;
constexpr double inf = std::numeric_limits<double>::infinity();

// The words of a network, of a number of floats in its arena, input and output.
struct Case {
  std::vector<double> words;
  int64_t arena, input, output;
};

double op(ProgramOp of) { return static_cast<double>(of); }
double kind(StepKind of) { return static_cast<double>(of); }
void append(std::vector<double>* to, const std::vector<double>& more) {
  to->insert(to->end(), more.begin(), more.end());
}

const std::vector<double> kInput = {2, 0, 0}, kOutput = {3, 0, 0}, kArena = {0, 0, 0};

// arena <-- a 3 x 3 convolution of a 1 x 6 x 7 image, tanh of its sum with the input; output <-- its maxima.
Case residual_block() {
  Case c{{kind(StepKind::conv), 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, 42, 42, 7};
  append(&c.words, {1, 1, 1, 1, 0, 0, 1, 6, 3, 1, 1, 1, 1, 6, 7, 3, 1, 1, 1, 1, 7});
  append(&c.words, {0, 0, 0, kNoIndex, kNoIndex, -inf, inf});
  append(&c.words, kInput);
  append(&c.words, kArena);
  append(&c.words, {0, 1, 1, 42, 2, 1, 1});
  append(&c.words, kInput);
  append(&c.words,
         {0, 0, 2, op(ProgramOp::add), 2, 0, 1, 0, 0, op(ProgramOp::hyperbolic_tangent), 2, 2, 0, 0, 0});
  append(&c.words, {kind(StepKind::reduce), static_cast<double>(Reduction::maximum), 1, 6, 7});
  append(&c.words, kArena);
  append(&c.words, kOutput);
  return c;
}

std::vector<float> image(int64_t size) {
  std::vector<float> x(static_cast<size_t>(size));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i * 7 % 11) - 5) / 8;
  return x;
}

const std::vector<float> kWeights = {0.5f, -1, 0.25f, 0, 1, -0.5f, 0.125f, 0.75f, -0.25f};

Network network_of(const KernelTable& kernels, const Case& c) {
  Words words(c.words.data(), static_cast<int64_t>(c.words.size()));
  return Network(kernels, words,
                 Store(c.arena * 4, {c.input * 4}, {c.output * 4}, {{kWeights.data(), DType::f32, 9}}),
                 nullptr);
}

std::vector<float> run(const KernelTable& kernels, const Network& network, const Case& c,
                       const std::atomic<bool>* cancelled = nullptr) {
  const std::vector<float> x = image(c.input);
  // Guards on both sides: nothing may be written there.
  std::vector<float> arena(static_cast<size_t>(c.arena) + 32, 77), y(static_cast<size_t>(c.output) + 32, 77);
  const void* const inputs[] = {x.data()};
  void* const outputs[] = {y.data() + 16};
  network.run(Context{&kernels, cancelled},
              {reinterpret_cast<std::byte*>(arena.data() + 16), inputs, outputs});
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(arena[i], 77);
    EXPECT_EQ(arena[arena.size() - 1 - i], 77);
    EXPECT_EQ(y[i], 77);
    EXPECT_EQ(y[y.size() - 1 - i], 77);
  }
  return {y.begin() + 16, y.end() - 16};
}

using NetworkTest = EachIsa;

TEST_P(NetworkTest, StepsFollowOneAnother) {
  const Case c = residual_block();
  const std::vector<float> x = image(42), y = run(kernels(), network_of(kernels(), c), c);
  for (int j = 0; j < 7; ++j) {
    float most = -2;
    for (int i = 0; i < 6; ++i) {
      double sum = x[i * 7 + j];
      for (int p = 0; p < 3; ++p) {
        for (int q = 0; q < 3; ++q) {
          const int row = i + p - 1, column = j + q - 1;
          if (row < 0 || row >= 6 || column < 0 || column >= 7) continue;
          sum += static_cast<double>(x[row * 7 + column]) * kWeights[p * 3 + q];
        }
      }
      most = std::fmax(most, static_cast<float>(std::tanh(sum)));
    }
    EXPECT_NEAR(y[j], most, 1e-6) << j;
  }
}

TEST_P(NetworkTest, NothingRunsOnceCancelled) {
  const Case c = residual_block();
  const std::atomic<bool> cancelled{true};
  EXPECT_EQ(run(kernels(), network_of(kernels(), c), c, &cancelled), std::vector<float>(7, 77));
}

TEST_P(NetworkTest, WordsThatEndEarlyAreRefused) {
  const Case whole = residual_block();
  // Behind whole steps it is a shorter network.
  const size_t first_step = whole.words.size() - 11;
  for (size_t length = 1; length < whole.words.size(); ++length) {
    Case c = whole;
    c.words.resize(length);
    if (length == first_step) continue;
    EXPECT_THROW(network_of(kernels(), c), Refusal) << length;
  }
}

TEST_P(NetworkTest, LiesStayInside) {
  const Case whole = residual_block();
  const double lies[] = {-1, 0,   1,   2,    3,   4,    5,
                         17, 168, 1e6, 1e15, inf, -inf, std::numeric_limits<double>::quiet_NaN()};
  for (size_t at = 0; at < whole.words.size(); ++at) {
    for (const double lie : lies) {
      Case c = whole;
      c.words[at] = lie;
      try {
        const Network network = network_of(kernels(), c);
        run(kernels(), network, c);
      } catch (const Refusal&) {
      }
    }
  }
}

TEST_P(NetworkTest, ProductsOfRows) {
  for (const int64_t count : {1, 3, 4, 9}) {
    for (const int64_t n : {1, 2, 15, 31, 32, 33, 64, 100, 607}) {
      const std::vector<float> rows = image(count * n), x = image(n + 1), bias = image(count);
      std::vector<std::byte> stored(rows.size() * sizeof(float) + 1);
      std::memcpy(stored.data() + 1, rows.data(), rows.size() * sizeof(float));
      std::vector<float> y(static_cast<size_t>(count) + 2, 77);
      const float *const from = x.data() + 1, lo = -1.5f, hi = 2;
      kernels().steps.row_products({stored.data() + 1, count, n, from, bias.data(), lo, hi, y.data() + 1});
      for (int64_t r = 0; r < count; ++r) {
        double sum = bias[r], magnitude = 0;
        for (int64_t i = 0; i < n; ++i) {
          sum += static_cast<double>(rows[r * n + i]) * from[i];
          magnitude += std::fabs(static_cast<double>(rows[r * n + i]) * from[i]);
        }
        EXPECT_NEAR(y[r + 1], std::fmin(hi, std::fmax(lo, sum)), 1e-6 * magnitude + 1e-6) << r << " of " << n;
      }
      EXPECT_EQ(y.front(), 77);
      EXPECT_EQ(y.back(), 77);
    }
  }
}

// output <-- the products of three rows, which come as bytes that begin where no float could, each times a
// factor.
TEST_P(NetworkTest, WeightsComeAsBytes) {
  const float factors[] = {2, -0.5f, 4};
  std::vector<std::byte> bytes(kWeights.size() * sizeof(float) + 1);
  std::memcpy(bytes.data() + 1, kWeights.data(), kWeights.size() * sizeof(float));
  Case c{{kind(StepKind::row_products), 3, 3, 0, 0, 1, kNoIndex, -inf, inf}, 0, 3, 3};
  append(&c.words, kInput);
  append(&c.words, kOutput);
  append(&c.words, {0});
  const auto made = [&](int64_t length, int64_t rows) {
    Words words(c.words.data(), static_cast<int64_t>(c.words.size()));
    const std::vector<Constant> constants = {{bytes.data() + 1, DType::u8, length},
                                             {factors, DType::f32, rows}};
    return Network(kernels(), words, Store(0, {12}, {12}, constants), nullptr);
  };
  const std::vector<float> x = image(3), y = run(kernels(), made(36, 3), c);
  for (int r = 0; r < 3; ++r) {
    float sum = 0;
    for (int i = 0; i < 3; ++i) sum += factors[r] * kWeights[r * 3 + i] * x[i];
    EXPECT_NEAR(y[r], sum, 1e-6) << r;
  }
  EXPECT_THROW(made(35, 3), Refusal);
  EXPECT_THROW(made(40, 3), Refusal);
  EXPECT_THROW(made(36, 2), Refusal);
  EXPECT_THROW(made(36, 0), Refusal);
}

// The same without factors: constants that last are read where they are, by a network that is lent them, too.
TEST_P(NetworkTest, WeightsThatLastAreReadInPlace) {
  std::vector<std::byte> bytes(kWeights.size() * sizeof(float) + 1);
  std::memcpy(bytes.data() + 1, kWeights.data(), kWeights.size() * sizeof(float));
  Case c{{kind(StepKind::row_products), 3, 3, 0, 0, kNoIndex, kNoIndex, -inf, inf}, 0, 3, 3};
  append(&c.words, kInput);
  append(&c.words, kOutput);
  append(&c.words, {0});
  const auto made = [&](bool last, const Network* similar) {
    Words words(c.words.data(), static_cast<int64_t>(c.words.size()));
    const std::vector<Constant> constants = {{bytes.data() + 1, DType::u8, 36}};
    return Network(kernels(), words, Store(0, {12}, {12}, constants, last), similar);
  };
  const Network copied = made(false, nullptr), in_place = made(true, nullptr), lent = made(false, &in_place);
  EXPECT_TRUE(copied.store().kept_constants().empty());
  EXPECT_EQ(in_place.store().kept_constants(), std::vector<int64_t>{0});
  EXPECT_EQ(in_place.store().kept_constant_bytes(), 36u);
  EXPECT_TRUE(lent.store().kept_constants().empty());
  const std::vector<float> expected = run(kernels(), copied, c);
  EXPECT_EQ(run(kernels(), in_place, c), expected);
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  EXPECT_EQ(run(kernels(), copied, c), expected);
  EXPECT_EQ(run(kernels(), in_place, c), std::vector<float>(3, 0));
  EXPECT_EQ(run(kernels(), lent, c), std::vector<float>(3, 0));
}

TEST_P(NetworkTest, ConstantsThatAreSpentGiveTheirMemoryBack) {
  constexpr int64_t kColumns = 20000;  // some pages of weights
  std::vector<float> weights(kColumns * 3, 0.5f);
  Case c{{kind(StepKind::row_products), 3, kColumns, 0, 0, kNoIndex, kNoIndex, -inf, inf}, 0, kColumns, 3};
  append(&c.words, kInput);
  append(&c.words, kOutput);
  append(&c.words, {0});
  const auto store = [&] {
    return Store(0, {kColumns * 4}, {12},
                 {{weights.data(), DType::u8, static_cast<int64_t>(weights.size() * sizeof(float))}});
  };
  const auto expecting = [&](const std::vector<int64_t>& spent) {
    Words words(c.words.data(), static_cast<int64_t>(c.words.size()));
    Store own = store();
    own.expect_spent(spent);
    return Network(kernels(), words, std::move(own), nullptr);
  };
  const Network kept = expecting({});
  EXPECT_EQ(std::count(weights.begin(), weights.end(), 0.5f), static_cast<ptrdiff_t>(weights.size()));
  const Network spent = expecting({0});
#if defined(__linux__)
  EXPECT_LT(std::count(weights.begin(), weights.end(), 0.5f), 3 * 4096);
#endif
  EXPECT_EQ(run(kernels(), spent, c), run(kernels(), kept, c));
  EXPECT_THROW(store().expect_spent({1}), Refusal);
  EXPECT_THROW(store().expect_spent({-1}), Refusal);
}

TEST_P(NetworkTest, FunctionsOfOneElement) {
  const struct {
    ProgramOp op;
    double (*expected)(double);
  } functions[] = {
      {ProgramOp::exponential, [](double x) { return std::exp(x); }},
      {ProgramOp::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {ProgramOp::hyperbolic_tangent, [](double x) { return std::tanh(x); }},
      {ProgramOp::error_function, [](double x) { return std::erf(x); }},
  };
  constexpr int kCount = 4001;
  for (const auto& [function, expected] : functions) {
    std::vector<float> x, y(kCount);
    for (int i = 0; i < kCount; ++i) x.push_back(static_cast<float>(i - 2000) / 100);
    const ProgramInstruction code = {function, 1, 0, 0, 0, 0};
    float* const registers[] = {x.data(), y.data()};
    kernels().steps.program({&code, 1, registers, kCount, nullptr});
    for (int i = 0; i < kCount; ++i) {
      const double value = expected(x[i]);
      EXPECT_NEAR(y[i], value, 4e-7 * std::fabs(value) + 1e-38) << x[i];
    }
  }
}
CONVMAT_ON_EACH_ISA(NetworkTest);

}  // namespace
}  // namespace convmat::test
