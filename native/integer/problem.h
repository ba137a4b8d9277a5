// What the ways of integer convolution share: the plan as they read it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "integer/conv.h"
#include "plan/sizes.h"
#include "product/panel_chunks.h"
#include "table/table.h"

namespace convmat {

// The part of a plan and its operands that both ways need.
struct IntegerProblem {
  IntegerProblem(const Context& context, const IntegerConvPlan& given, bool has_multipliers)
      : kernels(context.kernels),
        plan(given),
        channels(given.conv.in_channels / given.conv.groups),
        out_channels(given.conv.out_channels / given.conv.groups),
        taps(taps_of(given.conv)),
        scaled(has_multipliers) {
    std::copy(plan.conv.axis, plan.conv.axis + 3, axis);
    merge_axes(axis);
    const bool is_signed = plan.output_dtype == DType::i8;
    zero_point = plan.output_zero_point + (is_signed ? 128 : 0);
    flip = is_signed ? static_cast<int32_t>(0x80808080u) : 0;
  }

  int64_t in_plane() const { return axis[0].in * axis[1].in * axis[2].in; }
  int64_t out_plane() const { return axis[0].out * axis[1].out * axis[2].out; }
  void* output_at(void* output, int64_t element) const {
    return static_cast<uint8_t*>(output) + element * (scaled ? 1 : static_cast<int64_t>(sizeof(int32_t)));
  }

  const KernelTable* kernels;
  IntegerConvPlan plan;
  int64_t channels, out_channels, taps;  // of a group
  bool scaled;
  int32_t zero_point, flip;  // of the output, as kernels take them
  Axis axis[3];
};

}  // namespace convmat
