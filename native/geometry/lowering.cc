#include "geometry/lowering.h"

#include <algorithm>
#include <iterator>

#include "plan/arith.h"

namespace convmat {
namespace {

uint64_t low_bits(int64_t count) { return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

}  // namespace

bool Lowering::is_image() const {
  return std::all_of(std::begin(axis), std::end(axis), [](const LoweredAxis& a) {
    return a.taps == 1 && a.step == 1 && a.first == 0 && a.in == a.out;
  });
}

Lowering lower_forward(const ConvPlan& plan) {
  Lowering lowering;
  int64_t image_size = 1;
  for (int i = 0; i < 3; ++i) {
    const Axis& a = plan.axis[i];
    lowering.axis[i] = {a.in, a.out, a.kernel, a.stride, a.dilation, -a.pad_before};
    image_size *= a.in;
  }
  lowering.padding_mode = plan.padding_mode;
  lowering.channels = plan.in_channels / plan.groups;
  lowering.channel_stride = image_size;
  return lowering;
}

int64_t padded_position(PaddingMode mode, int64_t position, int64_t in) {
  if (position >= 0 && position < in) return position;
  switch (mode) {
    case PaddingMode::zeros:
      return -1;
    case PaddingMode::circular:
      return ((position % in) + in) % in;
    case PaddingMode::reflect:
      return position < 0 ? -position : 2 * (in - 1) - position;
    case PaddingMode::replicate:
      return position < 0 ? 0 : in - 1;
  }
  return -1;
}

Span outputs_inside(const LoweredAxis& axis, int64_t first) {
  const int64_t begin = std::min(axis.out, first >= 0 ? 0 : ceil_div(-first, axis.step));
  const int64_t end = first >= axis.in ? 0 : std::min(axis.out, ceil_div(axis.in - first, axis.step));
  return {begin, std::max(begin, end)};
}

RowBlocks::RowBlocks(const Lowering& lowering, int64_t max_rows)
    : channels(lowering.channels), taps(lowering.taps()) {
  // A lowered matrix without rows (no tap reaches it) is one empty block: its outputs still get their bias.
  if (channels * taps == 0) {
    block_channels = block_taps = 0;
    channel_blocks = tap_blocks = 1;
    return;
  }
  const int64_t channels_that_fit = std::max<int64_t>(1, max_rows / taps);
  block_channels = ceil_div(channels, ceil_div(channels, channels_that_fit));
  channel_blocks = ceil_div(channels, block_channels);
  block_taps = ceil_div(taps, ceil_div(taps, max_rows));
  tap_blocks = ceil_div(taps, block_taps);
}

RowBlocks::Block RowBlocks::operator[](int64_t index) const {
  const int64_t channel = index / tap_blocks * block_channels;
  const int64_t tap = index % tap_blocks * block_taps;
  return {channel, std::min(block_channels, channels - channel), tap, std::min(block_taps, taps - tap)};
}

PanelSegments::PanelSegments(ArenaFrame& frame, const Lowering& lowering, int64_t max_taps,
                             int64_t max_columns)
    : lowering_(lowering),
      tap_begin_(frame.take<int32_t>(max_taps + 1)),
      segments_(frame.take<PanelSegment>(max_taps * max_columns)),
      runs_(frame.take<Run>(max_columns)) {}

void PanelSegments::describe(int64_t column, int64_t count, int64_t tap, int64_t taps) {
  count_ = 0;
  tap_begin_[0] = 0;
  if (taps == 0) return;
  const LoweredAxis& height = lowering_.axis[1];
  const LoweredAxis& width = lowering_.axis[2];

  Run run;
  run.width = column % width.out;
  run.height = column / width.out % height.out;
  run.depth = column / width.out / height.out;
  int runs = 0;
  for (int64_t done = 0; done < count; done += run.count) {
    run.column = static_cast<int32_t>(done);
    run.count = static_cast<int32_t>(std::min(count - done, width.out - run.width));
    runs_[runs++] = run;
    run.width = 0;
    if (++run.height == height.out) {
      run.height = 0;
      ++run.depth;
    }
  }

  int64_t tap_width = tap % width.taps;
  int64_t tap_height = tap / width.taps % height.taps;
  int64_t tap_depth = tap / width.taps / height.taps;
  for (int64_t t = 0; t < taps; ++t) {
    tap_begin_[t] = tap_first_ = count_;
    for (int r = 0; r < runs; ++r) append_run(runs_[r], tap_depth, tap_height, tap_width);
    if (++tap_width == width.taps) {
      tap_width = 0;
      if (++tap_height == height.taps) {
        tap_height = 0;
        ++tap_depth;
      }
    }
  }
  tap_begin_[taps] = count_;
}

// Joins what continues the segment before: whole image rows follow one another in memory.
inline void PanelSegments::append(const PanelSegment& segment) {
  if (count_ > tap_first_) {
    PanelSegment& last = segments_[count_ - 1];
    const bool continues = last.offset + last.count * lowering_.axis[2].step == segment.offset;
    if (continues && last.valid == low_bits(last.count) && segment.valid == low_bits(segment.count)) {
      last.count += segment.count;
      last.valid = low_bits(last.count);
      return;
    }
  }
  segments_[count_++] = segment;
}

inline void PanelSegments::append_run(const Run& run, int64_t tap_depth, int64_t tap_height,
                                      int64_t tap_width) {
  const LoweredAxis& depth = lowering_.axis[0];
  const LoweredAxis& height = lowering_.axis[1];
  const LoweredAxis& width = lowering_.axis[2];
  const PaddingMode mode = lowering_.padding_mode;

  const int64_t d =
      padded_position(mode, run.depth * depth.step + tap_depth * depth.tap_step + depth.first, depth.in);
  const int64_t h = padded_position(
      mode, run.height * height.step + tap_height * height.tap_step + height.first, height.in);
  if (d < 0 || h < 0) return append({run.column, run.count, 0, 0});

  const int64_t row = (d * height.in + h) * width.in;
  const int64_t first = run.width * width.step + tap_width * width.tap_step + width.first;
  const int64_t last = first + (run.count - 1) * width.step;
  if (first >= 0 && last < width.in) return append({run.column, run.count, row + first, low_bits(run.count)});

  const LoweredAxis columns{width.in, run.count, 1, width.step, 0, 0};
  const auto [inside, outside] = outputs_inside(columns, first);
  if (mode == PaddingMode::zeros) {
    // Whole vectors may be read where only some columns count, and so nowhere far from the image.
    if (outside <= inside) return append({run.column, run.count, 0, 0});
    return append({run.column, run.count, row + first, low_bits(outside) & ~low_bits(inside)});
  }
  const auto append_single = [&](int64_t i) {
    const int64_t w = padded_position(mode, first + i * width.step, width.in);
    append({static_cast<int32_t>(run.column + i), 1, row + w, 1});
  };
  for (int64_t i = 0; i < inside; ++i) append_single(i);
  if (outside > inside) {
    append({static_cast<int32_t>(run.column + inside), static_cast<int32_t>(outside - inside),
            row + first + inside * width.step, low_bits(outside - inside)});
  }
  for (int64_t i = outside; i < run.count; ++i) append_single(i);
}

}  // namespace convmat
