// Pooling, exactly as PyTorch's: a row of outputs at a time, and within it a tap at a time over the whole
// row, so that the inner loop is a plain sweep that compilers vectorise.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/ops.h"
#include "core/thread_pool.h"

namespace convmat {
namespace {

// Output rows per chunk of work.
constexpr int64_t kRowsPerChunk = 16;

constexpr double kNsPerTap = 0.5;

// Taps [first, end) of output `o` that read the input rather than its padding.
struct Taps {
  int64_t first, end;
};

Taps taps_inside(const Axis& axis, int64_t o) {
  const int64_t start = o * axis.stride - axis.pad_before;
  // Most windows lie inside: spare them the divisions.
  if (start >= 0 && start + (axis.kernel - 1) * axis.dilation < axis.in) return {0, axis.kernel};
  const int64_t first = start < 0 ? (-start + axis.dilation - 1) / axis.dilation : 0;
  const int64_t end = start < axis.in ? (axis.in - start + axis.dilation - 1) / axis.dilation : 0;
  return {first, std::clamp(end, first, std::max(first, axis.kernel))};
}

// Outputs [first, end) of an axis for which `tap` reads the input.
Taps outputs_inside(const Axis& axis, int64_t tap) {
  const int64_t offset = tap * axis.dilation - axis.pad_before;
  if (offset >= 0 && offset + (axis.out - 1) * axis.stride < axis.in) return {0, axis.out};
  const int64_t first = offset < 0 ? (-offset + axis.stride - 1) / axis.stride : 0;
  const int64_t end = axis.in > offset ? (axis.in - offset + axis.stride - 1) / axis.stride : 0;
  return {std::min(first, axis.out), std::clamp<int64_t>(end, std::min(first, axis.out), axis.out)};
}

int64_t position(const Axis& axis, int64_t o, int64_t tap) {
  return o * axis.stride + tap * axis.dilation - axis.pad_before;
}

template <typename T>
constexpr T lowest() {
  return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
}

// NaN is larger than every number, and a later NaN replaces an earlier one.
template <typename T>
bool replaces(T value, T best) {
  // Both comparisons always, so that no branch stands in the way of vectors.
  if constexpr (std::is_floating_point_v<T>) return (value > best) | (value != value);
  return value > best;
}

// body(tap, first, end, source): outputs [first, end) of the row read source[o * stride] through this tap;
// taps come in row-major order.
template <typename T, typename Body>
void for_each_tap(const Axis (&axis)[3], const T* plane, int64_t od, int64_t oh, Body&& body) {
  const Axis &depth = axis[0], &height = axis[1], &width = axis[2];
  const Taps td = taps_inside(depth, od), th = taps_inside(height, oh);
  for (int64_t kd = td.first; kd < td.end; ++kd) {
    for (int64_t kh = th.first; kh < th.end; ++kh) {
      const int64_t row = (position(depth, od, kd) * height.in + position(height, oh, kh)) * width.in;
      for (int64_t kw = 0; kw < width.kernel; ++kw) {
        const Taps outputs = outputs_inside(width, kw);
        body(outputs.first, outputs.end, row + position(width, 0, kw), plane + row + position(width, 0, kw));
      }
    }
  }
}

// body(stride): the stride is a constant where it is a common one, so that the loops vectorise. What is
// seldom asked for has one loop for all.
template <bool OFTEN, typename Body>
void with_stride(int64_t stride, Body&& body) {
  if constexpr (OFTEN) {
    if (stride == 1) return body(std::integral_constant<int64_t, 1>{});
    if (stride == 2) return body(std::integral_constant<int64_t, 2>{});
  }
  body(stride);
}

template <typename T>
void max_row(const Axis (&axis)[3], const T* plane, int64_t od, int64_t oh, T* out) {
  std::fill(out, out + axis[2].out, lowest<T>());
  with_stride<std::is_floating_point_v<T> || sizeof(T) == 1>(axis[2].stride, [&](auto stride) {
    for_each_tap(axis, plane, od, oh, [&](int64_t first, int64_t end, int64_t, const T* source) {
      for (int64_t o = first; o < end; ++o) {
        const T value = source[o * stride];
        out[o] = replaces(value, out[o]) ? value : out[o];
      }
    });
  });
}

template <typename T>
void max_row(const Axis (&axis)[3], const T* plane, int64_t od, int64_t oh, T* out, int32_t* indices) {
  const Axis &depth = axis[0], &height = axis[1], &width = axis[2];
  const int64_t row = (position(depth, od, taps_inside(depth, od).first) * height.in +
                       position(height, oh, taps_inside(height, oh).first)) *
                      width.in;
  std::fill(out, out + width.out, lowest<T>());
  for (int64_t o = 0; o < width.out; ++o) {
    const int64_t start = position(width, o, 0);
    const int64_t first = start >= 0 ? start : position(width, o, taps_inside(width, o).first);
    indices[o] = static_cast<int32_t>(row + first);
  }
  with_stride<std::is_floating_point_v<T>>(width.stride, [&](auto stride) {
    for_each_tap(axis, plane, od, oh, [&](int64_t first, int64_t end, int64_t index, const T* source) {
      // Selects, not a branch: which tap holds the maximum is as good as random.
      for (int64_t o = first; o < end; ++o) {
        const T value = source[o * stride];
        const bool better = replaces(value, out[o]);
        out[o] = better ? value : out[o];
        indices[o] = better ? static_cast<int32_t>(index + o * stride) : indices[o];
      }
    });
  });
}

// Elements of window `o`, with what it covers of the padding or without.
int64_t window_size(const Axis& axis, int64_t o, bool with_padding) {
  if (with_padding) {
    const int64_t start = o * axis.stride - axis.pad_before;
    return std::min(start + axis.kernel, axis.in + axis.pad_after) - start;
  }
  const Taps taps = taps_inside(axis, o);
  return taps.end - taps.first;
}

template <typename T>
void avg_row(const PoolPlan& plan, const T* plane, int64_t od, int64_t oh, T* out) {
  const Axis &depth = plan.axis[0], &height = plan.axis[1], &width = plan.axis[2];
  std::fill(out, out + width.out, T{0});
  with_stride<true>(width.stride, [&](auto stride) {
    for_each_tap(plan.axis, plane, od, oh, [&](int64_t first, int64_t end, int64_t, const T* source) {
      for (int64_t o = first; o < end; ++o) out[o] += source[o * stride];
    });
  });
  const bool padding = plan.count_include_pad;
  const int64_t rows = window_size(depth, od, padding) * window_size(height, oh, padding);
  for (int64_t o = 0; o < width.out; ++o) out[o] /= static_cast<T>(rows * window_size(width, o, padding));
}

// body(plane, od, oh, offset of the output row) for every row of every plane, shared among threads.
template <typename Body>
void for_each_row(const Context& context, const PoolPlan& plan, Body&& body) {
  const Axis &depth = plan.axis[0], &height = plan.axis[1], &width = plan.axis[2];
  const int64_t rows = depth.out * height.out;
  const int64_t chunks_per_plane = (rows + kRowsPerChunk - 1) / kRowsPerChunk;
  const double taps = static_cast<double>(depth.kernel) * height.kernel * width.kernel;
  const double cost_ns = kNsPerTap * taps * plan.planes * rows * width.out;
  parallel_for(plan.planes * chunks_per_plane, cost_ns, [&](int64_t chunk) {
    if (context.cancelled != nullptr && context.cancelled->load(std::memory_order_relaxed)) return;
    const int64_t plane = chunk / chunks_per_plane;
    const int64_t first = chunk % chunks_per_plane * kRowsPerChunk;
    for (int64_t row = first; row < std::min(first + kRowsPerChunk, rows); ++row) {
      body(plane, row / height.out, row % height.out, (plane * rows + row) * width.out);
    }
  });
}

int64_t plane_size(const PoolPlan& plan) { return plan.axis[0].in * plan.axis[1].in * plan.axis[2].in; }

template <typename T>
void max_pool_of(const Context& context, const PoolPlan& plan, const T* input, T* output, int32_t* indices) {
  for_each_row(context, plan, [&](int64_t plane, int64_t od, int64_t oh, int64_t at) {
    const T* source = input + plane * plane_size(plan);
    if (indices == nullptr) {
      max_row(plan.axis, source, od, oh, output + at);
    } else {
      max_row(plan.axis, source, od, oh, output + at, indices + at);
    }
  });
}

template <typename T>
void avg_pool_of(const Context& context, const PoolPlan& plan, const T* input, T* output) {
  for_each_row(context, plan, [&](int64_t plane, int64_t od, int64_t oh, int64_t at) {
    avg_row(plan, input + plane * plane_size(plan), od, oh, output + at);
  });
}

}  // namespace

void max_pool(const Context& context, const PoolPlan& plan, const void* input, void* output,
              int32_t* indices) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    max_pool_of(context, plan, static_cast<const T*>(input), static_cast<T*>(output), indices);
  };
  switch (plan.dtype) {
    case DType::f32:
      return run(float{});
    case DType::f64:
      return run(double{});
    case DType::i8:
      return run(int8_t{});
    case DType::u8:
      return run(uint8_t{});
    case DType::i16:
      return run(int16_t{});
    case DType::u16:
      return run(uint16_t{});
    case DType::i32:
      return run(int32_t{});
    case DType::u32:
      return run(uint32_t{});
  }
}

void avg_pool(const Context& context, const PoolPlan& plan, const void* input, void* output) {
  if (plan.dtype == DType::f32) {
    avg_pool_of(context, plan, static_cast<const float*>(input), static_cast<float*>(output));
  } else {
    avg_pool_of(context, plan, static_cast<const double*>(input), static_cast<double*>(output));
  }
}

namespace {

// What an element of dx, or of dy, takes, about.
constexpr double kNsPerGradient = 0.6;

template <typename T>
bool max_pool_grad_of(int64_t planes, int64_t outputs, int64_t inputs, const T* dy, const int32_t* indices,
                      T* dx) {
  std::atomic<bool> inside{true};
  const double cost_ns = kNsPerGradient * static_cast<double>(planes * (outputs + inputs));
  parallel_for(planes, cost_ns, [&](int64_t plane) {
    T* const to = dx + plane * inputs;
    std::fill_n(to, inputs, T{0});
    for (int64_t o = plane * outputs; o < (plane + 1) * outputs; ++o) {
      const int64_t index = indices[o];
      if (index < 0 || index >= inputs) {
        inside.store(false, std::memory_order_relaxed);
        return;
      }
      to[index] += dy[o];
    }
  });
  return inside.load(std::memory_order_relaxed);
}

}  // namespace

bool max_pool_grad(DType dtype, int64_t planes, int64_t outputs, int64_t inputs, const void* grad_output,
                   const int32_t* indices, void* grad_input) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    return max_pool_grad_of(planes, outputs, inputs, static_cast<const T*>(grad_output), indices,
                            static_cast<T*>(grad_input));
  };
  return dtype == DType::f64 ? run(double{}) : run(float{});
}

}  // namespace convmat
