// im2col and col2im as operations of their own, for every element type: a row of the lowered matrix at a
// time.
#include "ops/unfold.h"

#include <algorithm>
#include <cstring>

#include "geometry/lowering.h"
#include "plan/dispatch.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

constexpr double kBytesPerNs = 4;  // what copying by short runs moves on one core, about

// The image rows that one tap reads, in output order: visit(offset of the image row or -1, output row).
template <typename Visit>
void for_each_row(const Lowering& lowering, int64_t tap_depth, int64_t tap_height, Visit visit) {
  const LoweredAxis& depth = lowering.axis[0];
  const LoweredAxis& height = lowering.axis[1];
  const auto position = [&](const LoweredAxis& axis, int64_t output, int64_t tap) {
    return padded_position(lowering.padding_mode, output * axis.step + tap * axis.tap_step + axis.first,
                           axis.in);
  };
  int64_t output_row = 0;
  for (int64_t i = 0; i < depth.out; ++i) {
    const int64_t d = position(depth, i, tap_depth);
    for (int64_t j = 0; j < height.out; ++j) {
      const int64_t h = position(height, j, tap_height);
      visit(d < 0 || h < 0 ? -1 : (d * height.in + h) * lowering.axis[2].in, output_row++);
    }
  }
}

struct Tap {
  Tap(const Lowering& lowering, int64_t tap)
      : width(tap % lowering.axis[2].taps),
        height(tap / lowering.axis[2].taps % lowering.axis[1].taps),
        depth(tap / lowering.axis[2].taps / lowering.axis[1].taps) {}
  int64_t width, height, depth;
};

template <typename T>
void unfold_row(const Lowering& lowering, const Tap& tap, const T* image, T* columns) {
  const LoweredAxis& width = lowering.axis[2];
  const int64_t first = tap.width * width.tap_step + width.first;
  const Span inside = outputs_inside(width, first);
  for_each_row(lowering, tap.depth, tap.height, [&](int64_t offset, int64_t output_row) {
    T* const to = columns + output_row * width.out;
    if (offset < 0) {
      std::memset(to, 0, sizeof(T) * static_cast<size_t>(width.out));
      return;
    }
    const T* const row = image + offset;
    const auto fill_outside = [&](int64_t i) {
      const int64_t w = padded_position(lowering.padding_mode, first + i * width.step, width.in);
      to[i] = w < 0 ? T{0} : row[w];
    };
    for (int64_t i = 0; i < inside.begin; ++i) fill_outside(i);
    if (inside.begin == inside.end) {
      // An image without elements has no row to copy from.
    } else if (width.step == 1) {
      std::memcpy(to + inside.begin, row + first + inside.begin,
                  sizeof(T) * static_cast<size_t>(inside.end - inside.begin));
    } else {
      for (int64_t i = inside.begin; i < inside.end; ++i) to[i] = row[first + i * width.step];
    }
    for (int64_t i = inside.end; i < width.out; ++i) fill_outside(i);
  });
}

template <typename T>
void fold_row(const Lowering& lowering, const Tap& tap, const T* columns, T* image) {
  const LoweredAxis& width = lowering.axis[2];
  const int64_t first = tap.width * width.tap_step + width.first;
  const Span inside = outputs_inside(width, first);
  for_each_row(lowering, tap.depth, tap.height, [&](int64_t offset, int64_t output_row) {
    if (offset < 0) return;
    const T* const from = columns + output_row * width.out;
    T* const row = image + offset + first;
    for (int64_t i = inside.begin; i < inside.end; ++i) {
      row[i * width.step] = static_cast<T>(row[i * width.step] + from[i]);
    }
  });
}

template <typename T>
void fold_planes(const Context& context, const Lowering& lowering, int64_t planes, const T* columns,
                 T* output) {
  if (lowering.channel_stride == 0) return;  // an image without elements may be null
  const int64_t taps = lowering.taps(), outputs = lowering.outputs(), plane = lowering.channel_stride;
  const double cost_ns = static_cast<double>(planes * taps * outputs) * sizeof(T) / kBytesPerNs;
  parallel_for(planes, cost_ns, [&](int64_t index) {
    if (context.is_cancelled()) return;
    T* const image = output + index * plane;
    std::fill_n(image, plane, T{0});
    for (int64_t tap = 0; tap < taps; ++tap) {
      fold_row(lowering, Tap(lowering, tap), columns + (index * taps + tap) * outputs, image);
    }
  });
}

// Of all channels: groups do not matter to a lowered matrix.
Lowering lower_all(const ConvPlan& plan) {
  ConvPlan ungrouped = plan;
  ungrouped.groups = 1;
  return lower_forward(ungrouped);
}

}  // namespace

void unfold(const Context& context, const ConvPlan& plan, const void* input, void* columns) {
  const Lowering lowering = lower_all(plan);
  const int64_t taps = lowering.taps(), outputs = lowering.outputs();
  const int64_t rows = outputs == 0 ? 0 : plan.batch * plan.in_channels * taps;
  dispatch_bits(plan.dtype, [&](auto zero) {
    using T = decltype(zero);
    const double cost_ns = static_cast<double>(rows * outputs) * sizeof(T) / kBytesPerNs;
    parallel_for(rows, cost_ns, [&](int64_t row) {
      if (context.is_cancelled()) return;
      unfold_row(lowering, Tap(lowering, row % taps),
                 static_cast<const T*>(input) + row / taps * lowering.channel_stride,
                 static_cast<T*>(columns) + row * outputs);
    });
  });
}

void fold(const Context& context, const ConvPlan& plan, const void* columns, void* output) {
  const Lowering lowering = lower_all(plan);
  const int64_t planes = plan.batch * plan.in_channels;
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    fold_planes(context, lowering, planes, static_cast<const T*>(columns), static_cast<T*>(output));
  };
  const bool is_float = plan.dtype == DType::f32 || plan.dtype == DType::f64;
  if (is_float) return dispatch_float(plan.dtype, run);
  dispatch_bits(plan.dtype, run);  // sums of integers wrap
}

}  // namespace convmat
