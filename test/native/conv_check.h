// One forward convolution by a named algorithm against its definition, for the tests of the algorithms.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/ops.h"
#include "core/thread_pool.h"
#include "reference.h"
#include "support.h"

namespace convmat::test {

constexpr double kInf = std::numeric_limits<double>::infinity();

template <typename T>
constexpr DType dtype_of() {
  return sizeof(T) == 4 ? DType::f32 : DType::f64;
}
template <typename T>
std::vector<double> widened(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}
template <typename T>
std::vector<T> normal_numbers(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(normal(random));
  return values;
}

struct Fusion {
  bool bias = true;
  double lo = -kInf, hi = kInf;
};

template <typename T>
ConvPlan forward_plan(const ConvCase& problem, Algorithm algorithm, int32_t variant = 0) {
  ConvPlan plan = plan_of(problem, ConvOp::forward, dtype_of<T>());
  plan.algorithm = algorithm;
  plan.variant = variant;
  return plan;
}

// Fails when anything beyond the result is written.
template <typename T>
std::vector<T> run_forward(const KernelTable& kernels, const ConvPlan& plan, const std::vector<T>& x,
                           const std::vector<T>& w, const T* bias, double lo = -kInf, double hi = kInf) {
  constexpr int kGuard = -777, kGuards = 80;
  const Context context{&kernels};
  std::vector<T> y(output_size(plan) + kGuards, T{kGuard});
  run_conv(context, plan, *pack_conv(context, plan, w.data(), bias, lo, hi), x.data(), y.data());
  EXPECT_EQ(std::count(y.end() - kGuards, y.end(), T{kGuard}), kGuards) << "wrote beyond the result";
  y.resize(output_size(plan));
  return y;
}

// Bias added and clamped, in double.
inline void fuse(const ConvPlan& plan, const std::vector<double>& bias, const Fusion& fusion,
                 std::vector<double>& y) {
  const int64_t plane = plan.axis[0].out * plan.axis[1].out * plan.axis[2].out;
  for (size_t i = 0; i < y.size(); ++i) {
    if (fusion.bias) y[i] += bias[i / plane % plan.out_channels];
    y[i] = std::clamp(y[i], fusion.lo, fusion.hi);
  }
}

// Whole numbers, whose sums are exact: equality.
template <typename T>
void check_exactly(const KernelTable& kernels, const ConvCase& problem, Algorithm algorithm,
                   const Fusion& fusion = {}) {
  SCOPED_TRACE(problem.name);
  const ConvPlan plan = forward_plan<T>(problem, algorithm);
  const std::vector<T> x = whole_numbers<T>(input_size(plan), 1), w = whole_numbers<T>(weight_size(plan), 2);
  const std::vector<T> bias = whole_numbers<T>(plan.out_channels, 3);
  std::vector<double> expected = reference_forward(plan, widened(x), widened(w));
  fuse(plan, widened(bias), fusion, expected);
  EXPECT_EQ(
      widened(run_forward(kernels, plan, x, w, fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi)),
      expected);
}

// Results are the same bits for every number of threads.
inline void check_threads(const KernelTable& kernels, const ConvPlan& plan) {
  const std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                           w = normal_numbers<float>(weight_size(plan), 2);
  ThreadPool& pool = ThreadPool::shared();
  pool.set_threads(1);
  const std::vector<float> serial = run_forward<float>(kernels, plan, x, w, nullptr);
  for (const int threads : {2, 3, 8}) {
    pool.set_threads(threads);
    EXPECT_EQ(run_forward<float>(kernels, plan, x, w, nullptr), serial) << threads;
  }
  pool.set_threads(0);
}

}  // namespace convmat::test
