// What follows from the sizes of a plan.
#pragma once

#include <cstdint>

#include "plan/arith.h"
#include "plan/plan.h"

namespace convmat {

// Taps of one channel.
inline int64_t taps_of(const ConvPlan& plan) {
  return plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel;
}

inline int64_t weights_of(const ConvPlan& plan) {
  return plan.out_channels * (plan.in_channels / plan.groups) * taps_of(plan);
}

// Elements in memory of what a forward convolution or an input gradient reads.
inline int64_t read_elements_of(const ConvPlan& plan) {
  const bool is_forward = plan.op == ConvOp::forward;
  const int64_t channels = is_forward ? plan.in_channels : plan.out_channels;
  const int64_t block = is_forward ? plan.input_block : plan.output_block;
  int64_t places = 1;
  for (const Axis& axis : plan.axis) places *= is_forward ? axis.in : axis.out;
  return plan.batch * round_up(channels, block) * places;
}

// Axes of 1 x 1 kernels that skip nothing become one long axis.
inline void merge_axes(Axis (&axis)[3]) {
  const auto plain = [](const Axis& a) {
    return a.kernel == 1 && a.stride == 1 && a.pad_before == 0 && a.pad_after == 0 && a.in == a.out;
  };
  for (int outer = 1; outer >= 0; --outer) {
    if (!plain(axis[2]) || !plain(axis[outer])) return;
    axis[2].in *= axis[outer].in;
    axis[2].out *= axis[outer].out;
    axis[outer] = {1, 1, 1, 1, 0, 0, 1};
  }
}

}  // namespace convmat
