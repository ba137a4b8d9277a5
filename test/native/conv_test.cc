// Whole convolutions against their definition. Whole numbers: every order of summation gives the same result,
// so the comparison is exact.
#include "conv/conv.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "conv/weight_grad.h"
#include "reference.h"
#include "runtime/bfloat16.h"
#include "runtime/thread_pool.h"
#include "support.h"

namespace convmat::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

template <typename T>
constexpr DType dtype_of() {
  return sizeof(T) == 4 ? DType::f32 : DType::f64;
}
template <typename T>
std::vector<double> widened(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

struct Fusion {
  bool bias;
  double lo, hi;
};

template <typename T>
void check_forward(const KernelTable& kernels, const ConvCase& problem, const Fusion& fusion) {
  SCOPED_TRACE(problem.name);
  const ConvPlan plan = plan_of(problem, ConvOp::forward, dtype_of<T>());
  const Context context{&kernels};
  const std::vector<T> x = whole_numbers<T>(input_size(plan), 1), w = whole_numbers<T>(weight_size(plan), 2);
  const std::vector<T> bias = whole_numbers<T>(plan.out_channels, 3);
  std::vector<double> expected = reference_forward(plan, widened(x), widened(w));
  const int64_t plane = plan.axis[0].out * plan.axis[1].out * plan.axis[2].out;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (fusion.bias) expected[i] += bias[i / plane % plan.out_channels];
    expected[i] = std::clamp(expected[i], fusion.lo, fusion.hi);
  }
  const auto packed =
      pack_conv(context, plan, w.data(), fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi);
  std::vector<T> y(output_size(plan), T{-777});
  run_conv(context, plan, *packed, x.data(), y.data());
  EXPECT_EQ(widened(y), expected);
  EXPECT_GE(packed->bytes(), w.size() * sizeof(T));
}

template <typename T>
void check_input_grad(const KernelTable& kernels, const ConvCase& problem, Algorithm algorithm,
                      const Fusion& fusion) {
  SCOPED_TRACE(problem.name);
  ConvPlan plan = plan_of(problem, ConvOp::input_grad, dtype_of<T>());
  plan.algorithm = algorithm;
  const Context context{&kernels};
  const std::vector<T> dy = whole_numbers<T>(output_size(plan), 1),
                       w = whole_numbers<T>(weight_size(plan), 2);
  const std::vector<T> bias = whole_numbers<T>(plan.in_channels, 3);
  std::vector<double> expected = reference_input_grad(plan, widened(dy), widened(w));
  const int64_t plane = plan.axis[0].in * plan.axis[1].in * plan.axis[2].in;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (fusion.bias) expected[i] += bias[i / plane % plan.in_channels];
    expected[i] = std::clamp(expected[i], fusion.lo, fusion.hi);
  }
  const auto packed =
      pack_conv(context, plan, w.data(), fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi);
  std::vector<T> dx(input_size(plan), T{-777});
  run_conv(context, plan, *packed, dy.data(), dx.data());
  EXPECT_EQ(widened(dx), expected);
}

template <typename T>
void check_weight_grad(const KernelTable& kernels, const ConvCase& problem, Algorithm algorithm) {
  SCOPED_TRACE(problem.name);
  ConvPlan plan = plan_of(problem, ConvOp::weight_grad, dtype_of<T>());
  plan.algorithm = algorithm;
  const Context context{&kernels};
  const std::vector<T> x = whole_numbers<T>(input_size(plan), 1), dy = whole_numbers<T>(output_size(plan), 2);
  std::vector<T> dw(weight_size(plan), T{-777});
  conv_weight_grad(context, plan, x.data(), dy.data(), dw.data());
  EXPECT_EQ(widened(dw), reference_weight_grad(plan, widened(x), widened(dy)));
}

using ConvTest = EachIsa;

TEST_P(ConvTest, ForwardIsItsDefinition) {
  for (const ConvCase& problem : conv_cases()) {
    check_forward<float>(kernels(), problem, {false, -kInf, kInf});
    check_forward<double>(kernels(), problem, {true, -20, 30});
  }
}

TEST_P(ConvTest, InputGradIsItsDefinition) {
  for (const ConvCase& problem : conv_cases()) {
    for (const Algorithm algorithm : {Algorithm::im2col, Algorithm::direct}) {
      check_input_grad<float>(kernels(), problem, algorithm, {false, -kInf, kInf});
      check_input_grad<double>(kernels(), problem, algorithm, {true, -20, 30});
    }
  }
}

TEST_P(ConvTest, WeightGradIsItsDefinition) {
  for (const ConvCase& problem : conv_cases()) {
    for (const Algorithm algorithm : {Algorithm::im2col, Algorithm::direct}) {
      check_weight_grad<float>(kernels(), problem, algorithm);
      check_weight_grad<double>(kernels(), problem, algorithm);
    }
  }
}

// Output channels on both sides of every vector, weights on both sides of every tile, rows and columns on
// both sides of a block.
TEST_P(ConvTest, DirectWeightGradAtTileEdges) {
  for (const int64_t oc : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65}) {
    for (const int64_t ic : {1, 2, 3, 5}) {
      const ConvCase small{"edges", 2, 1, ic, oc, {{1, 1}, {6, 3, 1, 1, 1, 1}, {7, 3, 1, 1, 1, 1}}};
      check_weight_grad<float>(kernels(), small, Algorithm::direct);
      check_weight_grad<double>(kernels(), small, Algorithm::direct);
    }
  }
  for (const int64_t columns : {15, 16, 17, 127, 128, 129, 255, 256, 257, 513}) {
    const ConvCase long_rows{"rows", 1, 1, 2, 5, {{1, 1}, {35, 3, 1, 1, 1, 1}, {columns, 3, 2, 1, 1, 2}}};
    check_weight_grad<float>(kernels(), long_rows, Algorithm::direct);
  }
}

// Columns and rows on both sides of every tile and vector.
TEST_P(ConvTest, ForwardAtTileEdges) {
  for (const int64_t oc : {1, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 16, 28, 29}) {
    for (const int64_t ow : {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65}) {
      const ConvCase packed{"edges", 1, 1, 2, oc, {{1, 1}, {2, 2, 1, 1, 1, 0}, {ow + 2, 3}}};
      check_forward<float>(kernels(), packed, {true, -kInf, kInf});
      const ConvCase in_place{"edges in place", 1, 1, 3, oc, {{1, 1}, {1, 1}, {ow, 1}}};
      check_forward<float>(kernels(), in_place, {false, 0, kInf});
    }
  }
}

std::vector<float> result_bits(const KernelTable& kernels, const ConvCase& problem, ConvOp op,
                               Algorithm algorithm, int threads) {
  ConvPlan plan = plan_of(problem, op, DType::f32);
  plan.algorithm = algorithm;
  const Context context{&kernels};
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(input_size(plan)), w(weight_size(plan)), y(output_size(plan));
  for (std::vector<float>* operand : {&x, &w, &y}) {
    for (float& value : *operand) value = normal(random);
  }
  ThreadPool::shared().set_threads(threads);
  if (op == ConvOp::weight_grad) {
    conv_weight_grad(context, plan, x.data(), y.data(), w.data());
  } else {
    const bool forward = op == ConvOp::forward;
    run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, -kInf, kInf),
             forward ? x.data() : y.data(), forward ? y.data() : x.data());
  }
  ThreadPool::shared().set_threads(0);
  return op == ConvOp::forward ? y : op == ConvOp::input_grad ? x : w;
}

TEST_P(ConvTest, BitsDoNotDependOnThreads) {
  const ConvCase problems[] = {
      {"columns split", 1, 1, 64, 40, {{1, 1}, {40, 3, 1, 1, 1, 1}, {41, 3, 1, 1, 1, 1}}},
      {"rows split", 1, 1, 200, 200, {{1, 1}, {7, 3, 1, 1, 1, 1}, {7, 3, 1, 1, 1, 1}}},
      {"images split", 5, 2, 64, 64, {{1, 1}, {14, 3, 2, 1, 1, 1}, {14, 3, 1, 1, 1, 1}}},
  };
  for (const ConvCase& problem : problems) {
    for (const ConvOp op : {ConvOp::forward, ConvOp::input_grad, ConvOp::weight_grad}) {
      for (const Algorithm algorithm : {Algorithm::im2col, Algorithm::direct}) {
        const std::vector<float> serial = result_bits(kernels(), problem, op, algorithm, 1);
        for (const int threads : {2, 3, 8}) {
          EXPECT_EQ(result_bits(kernels(), problem, op, algorithm, threads), serial)
              << problem.name << static_cast<int>(op) << static_cast<int>(algorithm);
        }
      }
    }
  }
}

TEST_P(ConvTest, NanReachesTheOutputsThatReadIt) {
  const ConvPlan plan = plan_of({"nan", 1, 1, 1, 2, {{1, 1}, {5, 3}, {5, 3}}}, ConvOp::forward, DType::f32);
  std::vector<float> x(25, 1.0f), w(18, 1.0f), y(18);
  x[0] = std::numeric_limits<float>::quiet_NaN();
  const Context context{&kernels()};
  run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, 0, 6), x.data(), y.data());
  for (int i = 0; i < 18; ++i) {
    if (i % 9 == 0) {
      EXPECT_TRUE(std::isnan(y[i]));
    } else {
      EXPECT_EQ(y[i], 6);
    }
  }
}

TEST_P(ConvTest, OperandsAreRoundedToBfloat16) {
  const ConvCase problem = {"rounded", 2, 2, 6, 10, {{1, 1}, {7, 3, 2, 1, 1, 1}, {9, 3, 1, 1, 1, 0}}};
  for (const ConvOp op : {ConvOp::forward, ConvOp::input_grad}) {
    for (const Algorithm algorithm : {Algorithm::im2col, Algorithm::direct, Algorithm::toeplitz}) {
      ConvPlan plan = plan_of(problem, op, DType::f32);
      plan.algorithm = algorithm;
      const bool is_forward = op == ConvOp::forward;
      std::vector<float> x = whole_numbers<float>(is_forward ? input_size(plan) : output_size(plan), 1);
      std::vector<float> w = whole_numbers<float>(weight_size(plan), 2);
      for (float& value : x) value *= 0.377f;
      std::vector<float> y(is_forward ? output_size(plan) : input_size(plan)), z(y.size());
      const Context context{&kernels()};
      plan.precision = Precision::bf16;
      run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, -kInf, kInf), x.data(), y.data());
      round_to_bfloat16(x.data(), static_cast<int64_t>(x.size()), x.data());
      round_to_bfloat16(w.data(), static_cast<int64_t>(w.size()), w.data());
      plan.precision = Precision::float32;
      run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, -kInf, kInf), x.data(), z.data());
      EXPECT_EQ(y, z) << static_cast<int>(op) << static_cast<int>(algorithm);
    }
  }
}

TEST_P(ConvTest, CancelledCallsReturn) {
  const ConvPlan plan =
      plan_of({"cancel", 2, 1, 8, 8, {{1, 1}, {20, 3}, {20, 3}}}, ConvOp::forward, DType::f32);
  const std::atomic<bool> cancelled{true};
  const Context context{&kernels(), &cancelled};
  const std::vector<float> x(input_size(plan)), w(weight_size(plan));
  std::vector<float> y(output_size(plan), -777.0f);
  run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, -kInf, kInf), x.data(), y.data());
  EXPECT_TRUE(std::all_of(y.begin(), y.end(), [](float value) { return value == -777.0f; }));
}
CONVMAT_ON_EACH_ISA(ConvTest);

}  // namespace
}  // namespace convmat::test
