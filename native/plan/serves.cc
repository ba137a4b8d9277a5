#include "plan/serves.h"

namespace convmat {

namespace {

constexpr bool is_power_of_2(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

bool has_small_factors(int64_t n) {
  constexpr int64_t kFactors[] = {2, 3, 5, 7};
  for (const int64_t factor : kFactors) {
    while (n > 0 && n % factor == 0) n /= factor;
  }
  return n == 1;
}

// Tiles of two axes that hold the whole kernel, in whole blocks of both types.
bool is_large_fft_plan(const ConvPlan& plan) {
  const int64_t rows = plan.variant >> 16, columns = plan.variant & 0xffff;
  const Axis& depth = plan.axis[0];
  const auto holds = [&](int64_t points, const Axis& axis) {
    // Of a gradient of weights the gradient of the output is the kernel.
    return plan.op == ConvOp::weight_grad ? (axis.out - 1) * axis.stride < points
                                          : (axis.kernel - 1) * axis.dilation < points;
  };
  return depth.in == 1 && depth.kernel == 1 && depth.out == 1 && rows % 16 == 0 && columns % 32 == 0 &&
         has_small_factors(rows) && has_small_factors(columns) && holds(rows, plan.axis[1]) &&
         holds(columns, plan.axis[2]);
}

}  // namespace

bool is_large_fft(int32_t variant) {
  constexpr int64_t kMostCachedPoints = 1 << 16;
  const int64_t rows = variant >> 16, columns = variant & 0xffff;
  return rows > 1 && columns > 1 && rows * columns > kMostCachedPoints;
}

bool is_fft_plan(const ConvPlan& plan) {
  if (is_large_fft(plan.variant)) return is_large_fft_plan(plan);
  const int64_t rows = plan.variant >> 16, columns = plan.variant & 0xffff;
  // Of a gradient of weights the outputs are the taps.
  const auto taps = [&](const Axis& axis) { return plan.op == ConvOp::weight_grad ? axis.out : axis.kernel; };
  // A multiple of both types' blocks, and a product of small factors.
  const auto is_side = [](int64_t n) { return n % 16 == 0 && (is_power_of_2(n) || is_power_of_2(n / 3)); };
  if (rows == 1) return taps(plan.axis[1]) == 1 && columns >= 256 && is_power_of_2(columns);
  if (columns == 1) return taps(plan.axis[2]) == 1 && is_side(rows);
  return is_side(rows) && is_side(columns);
}

bool is_winograd_plan(const ConvPlan& plan) {
  const auto is_served = [](const Axis& axis, int64_t kernel) {
    return axis.kernel == kernel && axis.stride == 1 && axis.dilation == 1;
  };
  return (plan.variant == 2 || plan.variant == 4) && is_served(plan.axis[0], 1) && plan.axis[0].in == 1 &&
         plan.axis[0].out == 1 && is_served(plan.axis[1], 3) && is_served(plan.axis[2], 3);
}

bool is_depthwise_plan(const ConvPlan& plan) {
  const Axis &depth = plan.axis[0], &height = plan.axis[1], &width = plan.axis[2];
  const auto is_served = [](const Axis& axis) {
    return (axis.kernel == 3 || axis.kernel == 5) && axis.dilation == 1 && axis.pad_before >= 0 &&
           axis.pad_after >= 0 && (axis.stride <= 2 || axis.out <= 1);
  };
  const bool is_padded = height.pad_before + height.pad_after + width.pad_before + width.pad_after > 0;
  return plan.in_channels == plan.groups && depth.in == 1 && depth.kernel == 1 && depth.out == 1 &&
         is_served(height) && is_served(width) && height.kernel == width.kernel &&
         (plan.padding_mode == PaddingMode::zeros || !is_padded);
}

bool is_separable_plan(const ConvPlan& plan) {
  const Axis &depth = plan.axis[0], &height = plan.axis[1], &width = plan.axis[2];
  return plan.in_channels == plan.groups && depth.in == 1 && depth.kernel == 1 && depth.out == 1 &&
         height.kernel >= 1 && width.kernel >= 1 && height.stride == 1 && width.stride == 1 &&
         height.dilation == 1 && width.dilation == 1;
}

}  // namespace convmat
