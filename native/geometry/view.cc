#include "geometry/view.h"

#include <algorithm>
#include <numeric>

#include "geometry/lowering.h"
#include "plan/arith.h"

namespace convmat {
namespace {

constexpr int64_t kPage = 512;  // 4 KiB of doubles; floats' is a multiple

// The phases that the taps of a long enough kernel visit, in their order.
int64_t phases_in_turn(const Axis& width) { return width.stride / std::gcd(width.stride, width.dilation); }

// The elements before and after a row's bodies, which frame_rows left zero. What lies beyond the padding is
// not read.
template <typename T>
void fill_borders(PaddingMode mode, const FrameRows<T>& f, int64_t first_column, const Axis& width) {
  for (int64_t k = 0; k < f.phase_count; ++k) {
    const FramePhase& phase = f.phases[k];
    const int64_t first = first_column + k * width.dilation % width.stride;
    const auto copy = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t padded = first + i * f.step;
        if (padded >= width.in + width.pad_after) return;
        const int64_t position = padded_position(mode, padded, width.in);
        for (int64_t plane = 0; plane < f.planes; ++plane) {
          f.to[plane * f.to_plane + k * f.to_phase + i] = f.from[plane * f.from_plane + position];
        }
      }
    };
    copy(0, phase.before);
    copy(phase.before + phase.count, phase.before + phase.count + phase.after);
  }
}

}  // namespace

FrameLayout frame_layout(const Axis (&axis)[3], int64_t rows, int64_t columns, int64_t row_align) {
  const Axis& height = axis[1];
  const Axis& width = axis[2];
  FrameLayout f;
  f.row_step = height.kernel == 1 ? height.stride : std::gcd(height.stride, height.dilation);
  f.depths = axis[0].kernel;
  f.rows = ((rows - 1) * height.stride + (height.kernel - 1) * height.dilation) / f.row_step + 1;
  f.phases = std::min(width.kernel, phases_in_turn(width));
  f.columns = columns + (width.kernel - 1) * width.dilation / width.stride;
  f.pitch = round_up(f.columns, row_align);
  f.row = f.phases * f.pitch;
  f.depth = f.rows * f.row;
  f.channel = round_up(f.depths * f.depth + kLongestVector, row_align);
  // Channels a multiple of a page apart would compete for the same few lines of L1.
  if (f.channel % kPage == 0) f.channel += std::max<int64_t>(row_align, 16);
  return f;
}

TapRange valid_taps(PaddingMode mode, const Axis& axis, int64_t output) {
  if (mode != PaddingMode::zeros) return {0, static_cast<int32_t>(axis.kernel)};
  const int64_t base = output * axis.stride - axis.pad_before;
  const int64_t first = base >= 0 ? 0 : ceil_div(-base, axis.dilation);
  const int64_t room = axis.in - base;  // positions from tap 0 to the end of the input
  const int64_t end = room <= 0 ? 0 : ceil_div(room, axis.dilation);
  const int64_t inside = std::min(first, axis.kernel);
  return {static_cast<int32_t>(inside), static_cast<int32_t>(std::max(inside, std::min(end, axis.kernel)))};
}

bool reads_in_place(PaddingMode mode, const Axis (&axis)[3]) {
  const auto padded = [](const Axis& a) { return a.pad_before != 0 || a.pad_after != 0; };
  if (axis[2].stride != 1 || padded(axis[2])) return false;
  return mode == PaddingMode::zeros || (!padded(axis[0]) && !padded(axis[1]));
}

int64_t frame_elements(const Axis (&axis)[3], int64_t channels, int64_t rows, int64_t columns,
                       int64_t row_align) {
  return channels * frame_layout(axis, rows, columns, row_align).channel + kLongestVector;
}

template <typename T>
InputView<T> view_frame(const FrameLayout& f, const Axis (&axis)[3], const T* frame, ArenaFrame& arena) {
  const Axis &height = axis[1], &width = axis[2];
  int64_t* const tap_column = arena.take<int64_t>(width.kernel);
  for (int64_t r = 0; r < width.kernel; ++r) {
    const int64_t position = r * width.dilation;
    tap_column[r] = r % phases_in_turn(width) * f.pitch + position / width.stride;
  }
  return {
      frame,     f.channel, height.stride / f.row_step * f.row, f.depth, height.dilation / f.row_step * f.row,
      tap_column};
}

template <typename T>
InputView<T> view_input(const Kernels<T>& kernels, PaddingMode mode, const Axis (&axis)[3], const T* image,
                        int64_t channels, const OutputBlock& block, int64_t row_align, ArenaFrame& arena) {
  const Axis &depth = axis[0], &height = axis[1], &width = axis[2];
  const int64_t plane = height.in * width.in;
  const int64_t first_depth = block.depth * depth.stride - depth.pad_before;
  const int64_t first_row = block.first_row * height.stride - height.pad_before;
  const int64_t first_column = block.first_column * width.stride - width.pad_before;

  if (reads_in_place(mode, axis)) {
    int64_t* const tap_column = arena.take<int64_t>(width.kernel);
    for (int64_t r = 0; r < width.kernel; ++r) tap_column[r] = r * width.dilation;
    return {image + first_depth * plane + first_row * width.in + first_column,
            depth.in * plane,
            height.stride * width.in,
            depth.dilation * plane,
            height.dilation * width.in,
            tap_column};
  }

  const FrameLayout f = frame_layout(axis, block.rows, block.columns, row_align);
  T* const frame = arena.take<T>(channels * f.channel + kLongestVector);
  FramePhase* const phases = arena.take<FramePhase>(f.phases);
  for (int64_t k = 0; k < f.phases; ++k) {
    const int64_t first = first_column + k * width.dilation % width.stride;
    const int64_t before = std::clamp<int64_t>(ceil_div(-first, width.stride), 0, f.columns);
    const int64_t end =
        first >= width.in ? before : std::clamp((width.in - 1 - first) / width.stride + 1, before, f.columns);
    phases[k] = {first + before * width.stride, before, end - before, f.columns - end};
  }
  const FramePhase zeros = {0, f.row, 0, 0};
  const auto source = [&](int64_t q) { return padded_position(mode, first_row + q * f.row_step, height.in); };
  for (int64_t p = 0; p < f.depths; ++p) {
    const int64_t z = padded_position(mode, first_depth + p * depth.dilation, depth.in);
    for (int64_t q = 0, count; q < f.rows; q += count) {
      // Rows that follow one another in the image, or are not in it, go together.
      const int64_t row = z < 0 ? -1 : source(q);
      const auto continues = [&](int64_t next) {
        return row < 0 ? z < 0 || source(next) < 0 : mode == PaddingMode::zeros && source(next) >= 0;
      };
      for (count = 1; q + count < f.rows && continues(q + count); ++count) {
      }
      const bool inside = row >= 0;
      const FrameRows<T> rows = {inside ? image + z * plane + row * width.in : image,
                                 depth.in * plane,
                                 f.row_step * width.in,
                                 width.stride,
                                 frame + p * f.depth + q * f.row,
                                 f.channel,
                                 f.row,
                                 f.pitch,
                                 channels,
                                 count,
                                 inside ? phases : &zeros,
                                 inside ? f.phases : 1};
      kernels.frame_rows(rows);
      if (inside && mode != PaddingMode::zeros) fill_borders(mode, rows, first_column, width);
    }
  }
  return view_frame(f, axis, static_cast<const T*>(frame), arena);
}

template InputView<float> view_input(const Kernels<float>&, PaddingMode, const Axis (&)[3], const float*,
                                     int64_t, const OutputBlock&, int64_t, ArenaFrame&);
template InputView<double> view_input(const Kernels<double>&, PaddingMode, const Axis (&)[3], const double*,
                                      int64_t, const OutputBlock&, int64_t, ArenaFrame&);
template InputView<int32_t> view_frame(const FrameLayout&, const Axis (&)[3], const int32_t*, ArenaFrame&);

}  // namespace convmat
