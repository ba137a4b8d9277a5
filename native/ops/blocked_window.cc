#include "ops/blocked_window.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "plan/arith.h"
#include "runtime/arena.h"
#include "runtime/epilogue.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// Of a chunk of work, so that claiming it costs nothing.
constexpr double kChunkNs = 15e3;
// Of a vector by a tap, about.
constexpr double kNsPerTap = 0.25;

int64_t span_of(const Axis& axis) { return (axis.kernel - 1) * axis.dilation + 1; }

// Outputs [first, end) whose windows lie within the image.
struct Interior {
  int64_t first, end;
};
Interior interior_of(const Axis& axis) {
  const int64_t first = std::min(axis.out, ceil_div(axis.pad_before, axis.stride));
  const int64_t room = axis.in + axis.pad_before - span_of(axis);
  const int64_t end = room < 0 ? first : std::clamp(room / axis.stride + 1, first, axis.out);
  return {first, end};
}

int64_t count_of(const Axis& axis, int64_t output, bool with_padding) {
  const int64_t start = output * axis.stride - axis.pad_before;
  const int64_t first = with_padding ? start : std::max<int64_t>(0, start);
  return std::min(start + axis.kernel, axis.in + (with_padding ? axis.pad_after : 0)) - first;
}

class WindowsRun {
 public:
  WindowsRun(const Context& context, const BlockedWindows& f)
      : kernels_(context.kernels->steps),
        epilogue_(context.epilogue),
        f_(f),
        taps_(f.height.kernel * f.width.kernel),
        stride_(f.width.out == 1 ? 1 : static_cast<int>(f.width.stride)),
        most_(kernels_.blocked_tile(1)),
        down_(interior_of(f.height)),
        across_(interior_of(f.width)),
        patch_columns_((std::min(most_, f.width.out) - 1) * stride_ + span_of(f.width)) {
    // A border takes a whole tile, since a tile of one pixel waits for each of its products.
    if (across_.first > 0) across_.first = std::min(most_, f.width.out);
    if (across_.end < f.width.out) across_.end = std::max<int64_t>(0, f.width.out - most_);
    if (across_.end <= across_.first) across_ = {0, 0};
  }

  // Offsets of the taps where a row has so many columns.
  void list_taps(int64_t columns, int64_t* to) const {
    for (int64_t q = 0; q < f_.height.kernel; ++q) {
      for (int64_t r = 0; r < f_.width.kernel; ++r)
        *to++ = (q * f_.height.dilation * columns + r * f_.width.dilation) * f_.lanes;
    }
  }

  int64_t taps() const { return taps_; }
  int64_t patch_columns() const { return patch_columns_; }

  // Rows [first, end) of one block of one image.
  void run(int64_t plane, int64_t first, int64_t end, const int64_t* taps, const int64_t* patch_taps) const {
    const int64_t block = plane % f_.blocks, in = f_.height.in * f_.width.in * f_.lanes;
    const int64_t out_row = f_.width.out * f_.lanes;
    ArenaFrame arena;
    float* const patch = arena.take<float>(patch_rows(end - first) * patch_columns_ * f_.lanes);
    float* const divisors = arena.take<float>(f_.width.out);
    const float* const x = f_.x + plane * in;
    float* const y = f_.y + (plane * f_.height.out + first) * out_row;
    BlockedWindow window = {};
    window.tap_count = taps_;
    window.w = f_.w == nullptr ? nullptr : f_.w + block * taps_ * f_.lanes;
    window.bias = f_.bias == nullptr ? nullptr : f_.bias + block * f_.lanes;
    window.lo = f_.lo;
    window.hi = f_.hi;
    window.divisors = divisors;
    const auto outputs = [&](const float* from, const int64_t* list, int64_t row, int64_t column,
                             int64_t pixels) {
      if (f_.op == BlockedWindowOp::mean) {
        const int64_t rows = count_of(f_.height, row, f_.count_padding);
        for (int64_t o = 0; o < pixels; ++o)
          divisors[o] = static_cast<float>(rows * count_of(f_.width, column + o, f_.count_padding));
      }
      window.x = from;
      window.taps = list;
      window.y = y + (row - first) * out_row + column * f_.lanes;
      kernels_.blocked_window(f_.op, stride_, pixels, window);
    };
    // By a copy of what several rows read.
    const auto patched = [&](int64_t row, int64_t rows, int64_t column, int64_t until) {
      for (; column < until; column += most_) {
        const int64_t pixels = std::min(most_, until - column);
        copy_patch(x, row, patch_rows(rows), column, pixels, patch);
        for (int64_t i = 0; i < rows; ++i)
          outputs(patch + i * f_.height.stride * patch_columns_ * f_.lanes, patch_taps, row + i, column,
                  pixels);
      }
    };
    patched(first, end - first, 0, across_.first);
    patched(first, end - first, across_.end, f_.width.out);
    for (int64_t row = first; row < end && across_.first < across_.end; ++row) {
      if (row < down_.first || row >= down_.end) {
        patched(row, 1, across_.first, across_.end);
        continue;
      }
      const int64_t row_in = row * f_.height.stride - f_.height.pad_before;
      const int64_t column_in = across_.first * f_.width.stride - f_.width.pad_before;
      outputs(x + (row_in * f_.width.in + column_in) * f_.lanes, taps, row, across_.first,
              across_.end - across_.first);
    }
    if (epilogue_ != nullptr) epilogue_->run(y, 1, (end - first) * out_row, (end - first) * out_row);
  }

 private:
  // Of an image with its padding, for so many rows of outputs.
  int64_t patch_rows(int64_t rows) const { return (rows - 1) * f_.height.stride + span_of(f_.height); }

  // What outputs from (row, column) on read, with what stands for padding.
  void copy_patch(const float* x, int64_t row, int64_t rows, int64_t column, int64_t pixels,
                  float* patch) const {
    const float nothing = f_.op == BlockedWindowOp::maximum ? -std::numeric_limits<float>::infinity() : 0.0f;
    const int64_t columns = (pixels - 1) * stride_ + span_of(f_.width);
    const int64_t first_column = column * f_.width.stride - f_.width.pad_before;
    const int64_t begin = std::clamp<int64_t>(-first_column, 0, columns);
    const int64_t end = std::clamp<int64_t>(f_.width.in - first_column, begin, columns);
    const int64_t lanes = f_.lanes;
    for (int64_t q = 0; q < rows; ++q) {
      float* const to = patch + q * patch_columns_ * lanes;
      const int64_t r = row * f_.height.stride - f_.height.pad_before + q;
      if (r < 0 || r >= f_.height.in) {
        std::fill_n(to, columns * lanes, nothing);
        continue;
      }
      std::fill_n(to, begin * lanes, nothing);
      std::memcpy(to + begin * lanes, x + (r * f_.width.in + first_column + begin) * lanes,
                  sizeof(float) * static_cast<size_t>((end - begin) * lanes));
      std::fill_n(to + end * lanes, (columns - end) * lanes, nothing);
    }
  }

  const StepKernels& kernels_;
  const Epilogue* const epilogue_;
  const BlockedWindows& f_;
  const int64_t taps_;
  const int stride_;
  const int64_t most_;  // outputs of a tile
  const Interior down_;
  Interior across_;
  const int64_t patch_columns_;
};

}  // namespace

bool serves_blocked_windows(const Axis& height, const Axis& width) {
  const auto is_served = [](const Axis& axis) { return axis.in > 0 && axis.out > 0 && axis.pad_before >= 0; };
  return is_served(height) && is_served(width) && (width.stride <= 2 || width.out == 1);
}

void run_blocked_windows(const Context& context, const BlockedWindows& f) {
  const WindowsRun run(context, f);
  ArenaFrame arena;
  int64_t* const taps = arena.take<int64_t>(run.taps());
  int64_t* const patch_taps = arena.take<int64_t>(run.taps());
  run.list_taps(f.width.in, taps);
  run.list_taps(run.patch_columns(), patch_taps);

  const double row_ns = kNsPerTap * static_cast<double>(f.width.out * run.taps());
  const int64_t planes = f.images * f.blocks;
  const int64_t rows_each = std::clamp<int64_t>(static_cast<int64_t>(kChunkNs / row_ns), 1, f.height.out);
  const int64_t bands = ceil_div(f.height.out, rows_each);
  const int64_t planes_each =
      bands > 1 ? 1 : std::clamp<int64_t>(static_cast<int64_t>(kChunkNs / row_ns) / f.height.out, 1, planes);
  parallel_for(ceil_div(planes, planes_each) * bands,
               row_ns * static_cast<double>(f.height.out) * static_cast<double>(planes), [&](int64_t i) {
                 if (context.is_cancelled()) return;
                 const int64_t first = i % bands * rows_each, plane = i / bands * planes_each;
                 for (int64_t p = plane; p < std::min(planes, plane + planes_each); ++p)
                   run.run(p, first, std::min(f.height.out, first + rows_each), taps, patch_taps);
               });
}

}  // namespace convmat
