// Pooling, exactly as PyTorch's: a row of outputs at a time, and within it a tap at a time over the whole
// row, so that the inner loop is a plain sweep that compilers vectorise.
#include "ops/pool.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"
#include "simd/compiler.h"

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
  const int64_t first = start < 0 ? ceil_div(-start, axis.dilation) : 0;
  const int64_t end = start < axis.in ? ceil_div(axis.in - start, axis.dilation) : 0;
  return {first, std::clamp(end, first, std::max(first, axis.kernel))};
}

// Outputs [first, end) of an axis for which `tap` reads the input.
Taps outputs_inside(const Axis& axis, int64_t tap) {
  const int64_t offset = tap * axis.dilation - axis.pad_before;
  if (offset >= 0 && offset + (axis.out - 1) * axis.stride < axis.in) return {0, axis.out};
  const int64_t first = offset < 0 ? ceil_div(-offset, axis.stride) : 0;
  const int64_t end = axis.in > offset ? ceil_div(axis.in - offset, axis.stride) : 0;
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

// A tap of a row of windows: outputs [first, end) read the elements of a line of the image from `from` on,
// each a stride apart.
struct RowTap {
  int64_t first, end, from;
};

// What is the same for all rows.
struct Job {
  const PoolPlan& plan;
  const void* input;
  void* output;
  int32_t* indices;
  std::vector<RowTap> taps;      // of a row of the kernel
  std::vector<int64_t> columns;  // of each window, for averages

  Job(const PoolPlan& the_plan, const void* the_input, void* the_output, int32_t* the_indices)
      : plan(the_plan), input(the_input), output(the_output), indices(the_indices) {
    const Axis& width = plan.axis[2];
    for (int64_t kw = 0; kw < width.kernel; ++kw) {
      const Taps outputs = outputs_inside(width, kw);
      taps.push_back({outputs.first, outputs.end, position(width, outputs.first, kw)});
    }
  }
};

int64_t plane_size(const PoolPlan& plan) { return plan.axis[0].in * plan.axis[1].in * plan.axis[2].in; }

// A row of outputs.
struct Row {
  int64_t plane, od, oh;
  int64_t at;          // the place of its first element in the output
  Taps depth, height;  // rows of the kernel that are inside the image
};

// Geometry has one routine for all types, and types have one for all geometries: the sweeps below.
// run(job, row) for every row of every plane, shared among threads.
void for_each_row(const Context& context, const Job& job, void (*run)(const Job&, const Row&)) {
  const PoolPlan& plan = job.plan;
  const Axis &depth = plan.axis[0], &height = plan.axis[1], &width = plan.axis[2];
  const int64_t rows = width.out == 0 ? 0 : depth.out * height.out;
  const int64_t chunks_per_plane = ceil_div(rows, kRowsPerChunk);
  const double taps = static_cast<double>(depth.kernel) * height.kernel * width.kernel;
  const double cost_ns = kNsPerTap * taps * plan.planes * rows * width.out;
  parallel_for(plan.planes * chunks_per_plane, cost_ns, [&](int64_t chunk) {
    if (context.is_cancelled()) return;
    const int64_t plane = chunk / chunks_per_plane;
    const int64_t first = chunk % chunks_per_plane * kRowsPerChunk;
    for (int64_t r = first; r < std::min(first + kRowsPerChunk, rows); ++r) {
      const int64_t od = r / height.out, oh = r % height.out;
      const int64_t at = (plane * rows + r) * width.out;
      run(job, {plane, od, oh, at, taps_inside(depth, od), taps_inside(height, oh)});
    }
  });
}

// body(place of a line of the image in its plane) for each row of the kernel, in order.
template <typename Body>
void for_each_line(const Job& job, const Row& row, Body&& body) {
  const Axis &depth = job.plan.axis[0], &height = job.plan.axis[1], &width = job.plan.axis[2];
  for (int64_t kd = row.depth.first; kd < row.depth.end; ++kd) {
    for (int64_t kh = row.height.first; kh < row.height.end; ++kh) {
      body((position(depth, row.od, kd) * height.in + position(height, row.oh, kh)) * width.in);
    }
  }
}

// The sweep of a tap over a row, with the stride as a constant where it is a common one, so that the loop
// vectorises: STRIDE 0 stands for any.
template <int STRIDE>
int64_t stride_of(int64_t any) {
  return STRIDE == 0 ? any : STRIDE;
}

template <typename T, int STRIDE>
CONVMAT_NOINLINE void max_sweep(const T* CONVMAT_RESTRICT from, int64_t any, int64_t n,
                                T* CONVMAT_RESTRICT out) {
  const int64_t stride = stride_of<STRIDE>(any);
  CONVMAT_ONE_VECTOR for (int64_t o = 0; o < n; ++o) {
    const T value = from[o * stride];
    out[o] = replaces(value, out[o]) ? value : out[o];
  }
}

template <typename T, int STRIDE>
CONVMAT_NOINLINE void max_index_sweep(const T* CONVMAT_RESTRICT from, int64_t any, int64_t n, int32_t index,
                                      T* CONVMAT_RESTRICT out, int32_t* CONVMAT_RESTRICT indices) {
  const int64_t stride = stride_of<STRIDE>(any);
  // Selects, not a branch: which tap holds the maximum is as good as random.
  CONVMAT_ONE_VECTOR for (int64_t o = 0; o < n; ++o) {
    const T value = from[o * stride], best = out[o];
    const int32_t at = index + static_cast<int32_t>(o) * static_cast<int32_t>(stride), before = indices[o];
    const bool better = replaces(value, best);
    out[o] = better ? value : best;
    indices[o] = better ? at : before;
  }
}

template <typename T, int STRIDE>
CONVMAT_NOINLINE void add_sweep(const T* CONVMAT_RESTRICT from, int64_t any, int64_t n,
                                T* CONVMAT_RESTRICT out) {
  const int64_t stride = stride_of<STRIDE>(any);
  CONVMAT_ONE_VECTOR for (int64_t o = 0; o < n; ++o) out[o] += from[o * stride];
}

template <typename T>
void max_row(const Job& job, const Row& row) {
  const Axis& width = job.plan.axis[2];
  const T* const plane = static_cast<const T*>(job.input) + row.plane * plane_size(job.plan);
  T* const out = static_cast<T*>(job.output) + row.at;
  const auto sweep = width.stride == 1   ? max_sweep<T, 1>
                     : width.stride == 2 ? max_sweep<T, 2>
                                         : max_sweep<T, 0>;
  std::fill(out, out + width.out, lowest<T>());
  const auto sweep_taps = [&](const T* line) {
    for (const RowTap& tap : job.taps) {
      sweep(line + tap.from, width.stride, tap.end - tap.first, out + tap.first);
    }
  };
  if constexpr (sizeof(T) == 1) {
    // Lines of bytes are compared by whole vectors, and only the largest of them a stride apart.
    ArenaFrame arena;
    T* const largest = arena.take<T>(width.in);
    std::fill(largest, largest + width.in, lowest<T>());
    for_each_line(job, row, [&](int64_t line) { max_sweep<T, 1>(plane + line, 1, width.in, largest); });
    sweep_taps(largest);
  } else {
    for_each_line(job, row, [&](int64_t line) { sweep_taps(plane + line); });
  }
}

// The first element of each window in the image: what the index is when nothing is larger than the lowest.
void fill_first_indices(const Job& job, const Row& row, int32_t* indices) {
  const Axis &depth = job.plan.axis[0], &height = job.plan.axis[1], &width = job.plan.axis[2];
  const int64_t line =
      (position(depth, row.od, row.depth.first) * height.in + position(height, row.oh, row.height.first)) *
      width.in;
  for (int64_t o = 0; o < width.out; ++o) {
    const int64_t start = position(width, o, 0);
    const int64_t first = start >= 0 ? start : position(width, o, taps_inside(width, o).first);
    indices[o] = static_cast<int32_t>(line + first);
  }
}

template <typename T>
void max_index_row(const Job& job, const Row& row) {
  const Axis& width = job.plan.axis[2];
  const T* const plane = static_cast<const T*>(job.input) + row.plane * plane_size(job.plan);
  T* const out = static_cast<T*>(job.output) + row.at;
  int32_t* const indices = job.indices + row.at;
  // Integers with indices are too rare for sweeps of their own.
  auto* sweep = max_index_sweep<T, 0>;
  if constexpr (std::is_floating_point_v<T>) {
    if (width.stride == 1) sweep = max_index_sweep<T, 1>;
    if (width.stride == 2) sweep = max_index_sweep<T, 2>;
  }
  std::fill(out, out + width.out, lowest<T>());
  fill_first_indices(job, row, indices);
  for_each_line(job, row, [&](int64_t line) {
    for (const RowTap& tap : job.taps) {
      const int64_t from = line + tap.from;
      sweep(plane + from, width.stride, tap.end - tap.first, static_cast<int32_t>(from), out + tap.first,
            indices + tap.first);
    }
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
void avg_row(const Job& job, const Row& row) {
  const PoolPlan& plan = job.plan;
  const Axis& width = plan.axis[2];
  const T* const plane = static_cast<const T*>(job.input) + row.plane * plane_size(plan);
  T* const out = static_cast<T*>(job.output) + row.at;
  const auto sweep = width.stride == 1   ? add_sweep<T, 1>
                     : width.stride == 2 ? add_sweep<T, 2>
                                         : add_sweep<T, 0>;
  std::fill(out, out + width.out, T{0});
  for_each_line(job, row, [&](int64_t line) {
    for (const RowTap& tap : job.taps) {
      sweep(plane + line + tap.from, width.stride, tap.end - tap.first, out + tap.first);
    }
  });
  const bool padding = plan.count_include_pad;
  const int64_t rows =
      window_size(plan.axis[0], row.od, padding) * window_size(plan.axis[1], row.oh, padding);
  for (int64_t o = 0; o < width.out; ++o) out[o] /= static_cast<T>(rows * job.columns[o]);
}

}  // namespace

void max_pool(const Context& context, const PoolPlan& plan, const void* input, void* output,
              int32_t* indices) {
  const Job job(plan, input, output, indices);
  dispatch(plan.dtype, [&](auto zero) {
    using T = decltype(zero);
    for_each_row(context, job, indices == nullptr ? max_row<T> : max_index_row<T>);
  });
}

void avg_pool(const Context& context, const PoolPlan& plan, const void* input, void* output) {
  Job job(plan, input, output, nullptr);
  for (int64_t o = 0; o < plan.axis[2].out; ++o) {
    job.columns.push_back(window_size(plan.axis[2], o, plan.count_include_pad));
  }
  for_each_row(context, job, dispatch_float(plan.dtype, [](auto zero) { return &avg_row<decltype(zero)>; }));
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
  return dispatch_float(dtype, [&](auto zero) {
    using T = decltype(zero);
    return max_pool_grad_of(planes, outputs, inputs, static_cast<const T*>(grad_output), indices,
                            static_cast<T*>(grad_input));
  });
}

}  // namespace convmat
