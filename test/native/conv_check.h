// One forward convolution by a named algorithm against its definition, for the tests of the algorithms.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "conv/conv.h"
#include "reference.h"
#include "runtime/thread_pool.h"
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

// NaN and infinity come out where sums put them; elsewhere results are numbers, as near to the sums as
// without them.
template <typename T>
void expect_as_summed(const KernelTable& kernels, const ConvPlan& plan, const std::vector<T>& x,
                      const std::vector<T>& w, double tolerance, double lo = -kInf, double hi = kInf) {
  std::vector<double> expected = reference_forward(plan, widened(x), widened(w));
  const double largest_number = std::numeric_limits<T>::max();
  for (double& value : expected) {
    if (std::fabs(value) > largest_number) value = std::copysign(kInf, value);
    if (!std::isnan(value)) value = std::clamp(value, lo, hi);
  }
  const std::vector<T> y = run_forward<T>(kernels, plan, x, w, nullptr, lo, hi);
  for (size_t i = 0; i < y.size(); ++i) {
    if (std::isfinite(expected[i])) {
      ASSERT_NEAR(y[i], expected[i], tolerance) << i;
    } else if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(y[i])) << i << ": " << y[i];
    } else {
      ASSERT_EQ(y[i], expected[i]) << i;
    }
  }
}

template <typename T>
void check_non_numbers(const KernelTable& kernels, const ConvPlan& plan) {
  const T inf = std::numeric_limits<T>::infinity();
  const std::vector<T> x = normal_numbers<T>(input_size(plan), 1),
                       w = normal_numbers<T>(weight_size(plan), 2);
  const double tolerance = 2000 * std::numeric_limits<T>::epsilon();
  const auto with = [](std::vector<T> values, size_t at, T value) {
    values[at % values.size()] = value;
    return values;
  };
  const size_t last = x.size() - 1, middle = x.size() / 2 + static_cast<size_t>(plan.axis[2].in / 2);
  for (const T value : {std::numeric_limits<T>::quiet_NaN(), inf, -inf}) {
    for (const size_t at : {size_t{0}, middle, last}) {
      SCOPED_TRACE("x[" + std::to_string(at) + "] = " + std::to_string(value));
      expect_as_summed(kernels, plan, with(x, at, value), w, tolerance);
      expect_as_summed(kernels, plan, with(x, at, value), w, tolerance, 0, 6);
    }
    SCOPED_TRACE("everywhere: " + std::to_string(value));
    expect_as_summed(kernels, plan, std::vector<T>(x.size(), value), w, tolerance);
  }
  expect_as_summed(kernels, plan, with(with(x, middle, inf), middle + 1, -inf), w, tolerance);
  // A zero weight makes NaN of infinity.
  expect_as_summed(kernels, plan, with(x, middle, inf), with(w, w.size() / 2, 0), tolerance);
  // Without padding, which algorithms may skip or multiply.
  ConvPlan inside = plan;
  for (Axis& axis : inside.axis) {
    axis.out -= axis.pad_before + axis.pad_after;
    axis.pad_before = axis.pad_after = 0;
  }
  for (const T value : {std::numeric_limits<T>::quiet_NaN(), inf, -inf}) {
    SCOPED_TRACE("w: " + std::to_string(value));
    expect_as_summed(kernels, inside, x, with(w, w.size() / 2, value), tolerance);
  }
}

// Numbers near the largest, of which the transforms' sums are too large though the results are not.
template <typename T>
void check_huge_numbers(const KernelTable& kernels, const ConvPlan& plan) {
  std::vector<T> huge = normal_numbers<T>(input_size(plan), 1),
                 small = normal_numbers<T>(weight_size(plan), 2);
  const T scale = std::numeric_limits<T>::max() / 8, down = T{1} / 4096;
  for (T& value : huge) value *= scale;
  for (T& value : small) value *= down;
  const double largest = static_cast<double>(scale) * static_cast<double>(down);
  expect_as_summed(kernels, plan, huge, small, 2000 * std::numeric_limits<T>::epsilon() * largest);
  // The same of the weights.
  for (T& value : huge) value = value / scale * down;
  for (T& value : small) value = value / down * scale;
  expect_as_summed(kernels, plan, huge, small, 2000 * std::numeric_limits<T>::epsilon() * largest);
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
