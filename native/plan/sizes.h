// What follows from the sizes of a plan.
#pragma once

#include <cstdint>

#include "plan/plan.h"

namespace convmat {

// Taps of one channel.
inline int64_t taps_of(const ConvPlan& plan) {
  return plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel;
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
