#include "integer/frame.h"

#include <algorithm>
#include <cstring>

#include "geometry/lowering.h"
#include "plan/arith.h"

namespace convmat {
namespace {

// Columns of the padded input from `first` on, all of which it has.
struct Columns {
  int64_t first, count;
};

// The words of one row of the padded input.
class LineWriter {
 public:
  LineWriter(const WordFormat& format, PaddingMode mode, const Axis& width, const Columns& columns)
      : format_(format), mode_(mode), in_(width.in), columns_(columns) {
    before_ = std::clamp<int64_t>(-columns.first, 0, columns.count);
    end_ = std::clamp<int64_t>(width.in - columns.first, before_, columns.count);
    IntegerLine line = {{}, 1, format.flip, format.zero_point, padding_};
    for (const uint8_t*& row : line.rows) row = &format.padding;
    format.line(line);
  }

  // `rows` are of the input. Up to a vector behind the line is overwritten.
  void write(const uint8_t* const (&rows)[4], int32_t* to) const {
    std::fill(to, to + before_, padding_[0]);
    write_words(rows, columns_.first + before_, end_ - before_, to + before_);
    std::fill(to + end_, to + columns_.count, padding_[0]);
    if (mode_ == PaddingMode::zeros) return;
    write_borders(rows, 0, before_, to);
    write_borders(rows, end_, columns_.count, to);
  }
  void write_padding(int32_t* to) const { std::fill(to, to + columns_.count, padding_[0]); }

 private:
  void write_words(const uint8_t* const (&rows)[4], int64_t column, int64_t count, int32_t* to) const {
    IntegerLine line = {{}, count, format_.flip, format_.zero_point, to};
    for (int64_t k = 0; k < format_.factors; ++k) line.rows[k] = rows[k] + column;
    format_.line(line);
  }
  void write_borders(const uint8_t* const (&rows)[4], int64_t begin, int64_t end, int32_t* to) const {
    for (int64_t i = begin; i < end; ++i) {
      int32_t word[kLongestVector + 1];
      write_words(rows, padded_position(mode_, columns_.first + i, in_), 1, word);
      to[i] = word[0];
    }
  }

  const WordFormat& format_;
  const PaddingMode mode_;
  const int64_t in_;
  const Columns columns_;
  int64_t before_, end_;  // of the line that lies inside the input
  int32_t padding_[kLongestVector + 1];
};

}  // namespace

InputView<int32_t> view_words(const KernelTable& kernels, const WordFormat& format, PaddingMode mode,
                              const Axis (&axis)[3], const uint8_t* image, int64_t planes, bool vertical,
                              const OutputBlock& block, ArenaFrame& arena) {
  const Axis &depth = axis[0], &height = axis[1], &width = axis[2];
  const int64_t in_row = width.in, in_plane = depth.in * height.in * width.in;
  const int64_t factors = format.factors, channels = vertical ? 1 : ceil_div(planes, factors);
  const FrameLayout f = frame_layout(axis, block.rows, block.columns, 1);
  int32_t* const frame = arena.take<int32_t>(channels * f.channel + kLongestVector);

  const Columns columns = {block.first_column * width.stride - width.pad_before,
                           (block.columns - 1) * width.stride + (width.kernel - 1) * width.dilation + 1};
  const LineWriter writer(format, mode, width, columns);
  int32_t* const scratch = arena.take<int32_t>(columns.count + kLongestVector);
  uint8_t* const padding_row = arena.take<uint8_t>(in_row);
  std::memset(padding_row, format.padding, static_cast<size_t>(in_row));

  const int64_t first_depth = block.depth * depth.stride - depth.pad_before;
  const int64_t first_row = block.first_row * height.stride - height.pad_before;
  const int64_t last_row =
      first_row + (block.rows - 1) * height.stride + (height.kernel - 1) * height.dilation;
  // Of one channel; null where all is padding.
  const auto input_row = [&](int64_t z, int64_t row) -> const uint8_t* {
    const int64_t position = row > last_row ? -1 : padded_position(mode, row, height.in);
    return z < 0 || position < 0 ? nullptr : image + (z * height.in + position) * in_row;
  };

  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t p = 0; p < f.depths; ++p) {
      const int64_t z = padded_position(mode, first_depth + p * depth.dilation, depth.in);
      for (int64_t q = 0; q < f.rows; ++q) {
        int32_t* const to = frame + c * f.channel + p * f.depth + q * f.row;
        int32_t* const line = width.stride == 1 ? to : scratch;
        const uint8_t* rows[4] = {padding_row, padding_row, padding_row, padding_row};
        bool some = false;
        for (int64_t k = 0; k < factors; ++k) {
          const int64_t row = first_row + q * f.row_step;
          const uint8_t* const from = input_row(z, vertical ? row + k * height.dilation : row);
          if (from == nullptr || (!vertical && c * factors + k >= planes)) continue;
          rows[k] = vertical ? from : from + (c * factors + k) * in_plane;
          some = true;
        }
        if (some) {
          writer.write(rows, line);
        } else {
          writer.write_padding(line);
        }
        if (width.stride == 1) continue;
        for (int64_t phase = 0; phase < f.phases; ++phase) {
          const int64_t first = phase * width.dilation % width.stride;
          const int64_t count = std::min(f.columns, (columns.count - first - 1) / width.stride + 1);
          const FramePhase all = {first, 0, count, 0};
          // Floats are copied bit by bit.
          kernels.f32.frame_rows({reinterpret_cast<const float*>(line), 0, 0, width.stride,
                                  reinterpret_cast<float*>(to + phase * f.pitch), 0, 0, 0, 1, 1, &all, 1});
        }
      }
    }
  }
  return view_frame(f, axis, static_cast<const int32_t*>(frame), arena);
}

}  // namespace convmat
