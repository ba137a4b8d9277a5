#include "product/tile_geometry.h"

#include <algorithm>
#include <cstring>

#include "geometry/lowering.h"
#include "plan/arith.h"
#include "runtime/caches.h"

namespace convmat {
namespace {

bool is_plain(const Axis& axis) {
  return axis.kernel == 1 && axis.stride == 1 && axis.pad_before == 0 && axis.pad_after == 0;
}

// Of a frame, for one depth of taps and a block of channels.
int64_t frame_lines(const TileAxis& height, const TileAxis& width) {
  return height.phases * width.phases * height.length * width.length;
}

}  // namespace

TileGeometry::TileGeometry(const Axis (&axis)[3], PaddingMode mode, int64_t channels, int64_t line_channels)
    : axis_{axis[0], axis[1], axis[2]},
      mode_(mode),
      is_product_(axis[0].out == 1 && axis[1].out == 1 && is_plain(axis[2]) && is_plain(axis[0]) &&
                  is_plain(axis[1])),
      blocks_(ceil_div(channels, line_channels)),
      steps_(blocks_ * axis[0].kernel * axis[1].kernel * axis[2].kernel) {}

int64_t TileGeometry::frame_bytes(int64_t rows, int64_t columns) const {
  const TileAxis height(axis_[1], 0, rows), width(axis_[2], 0, columns);
  return axis_[0].kernel * frame_lines(height, width) * blocks_ * kTileDepth;
}

TilePixels TileGeometry::columns(const PanelChunk& chunk, const uint8_t* data, ArenaFrame& arena) const {
  TilePixels pixels{};
  pixels.data = data;
  pixels.count = chunk.columns;
  pixels.pitch = chunk.columns;
  pixels.next_tile = blocks_ * kTileBytes;
  pixels.steps = list_steps(pixels, arena);
  list_runs(chunk, pixels, arena);
  return pixels;
}

// frame[depth of taps][block][phase of rows][phase of columns][row][column]
TilePixels TileGeometry::frame(const PanelChunk& chunk, const TileLineSource& source,
                               ArenaFrame& arena) const {
  const Axis &depth = axis_[0], &in_height = axis_[1], &in_width = axis_[2];
  TilePixels pixels{};
  pixels.height = TileAxis(in_height, chunk.row, chunk.rows);
  pixels.width = TileAxis(in_width, chunk.column, chunk.columns);
  const TileAxis &height = pixels.height, &width = pixels.width;
  pixels.pitch = width.length;
  pixels.count = (chunk.rows - 1) * pixels.pitch + chunk.columns;
  pixels.next_tile = kTileBytes;
  const int64_t phase_lines = height.length * width.length;
  const int64_t lines = depth.kernel * blocks_ * frame_lines(height, width);
  // The last tile of the last phase reads beyond it.
  uint8_t* const frame = arena.take<uint8_t>(lines * kTileDepth + kTileBytes);
  std::memset(frame + lines * kTileDepth, 0, kTileBytes);
  pixels.data = frame;

  // Where in a row of the frame each column of the input goes, and which columns are padding.
  int32_t* const line_of = arena.take<int32_t>(in_width.in);
  std::fill(line_of, line_of + in_width.in, -1);
  struct Border {
    int64_t line, source;  // -1 for what stands for 0
  };
  Border* const borders = arena.take<Border>(width.phases * width.length);
  int64_t border_count = 0, first_column = in_width.in, end_column = 0;
  for (int64_t slot = 0; slot < width.phases; ++slot) {
    for (int64_t i = 0; i < width.length; ++i) {
      const int64_t line = slot * phase_lines + i, column = width.input(slot, i);
      if (column >= 0 && column < in_width.in) {
        line_of[column] = static_cast<int32_t>(line);
        first_column = std::min(first_column, column);
        end_column = std::max(end_column, column + 1);
      } else {
        borders[border_count++] = {line, padded_position(mode_, column, in_width.in)};
      }
    }
  }
  // A border may repeat a column that no output of this chunk reads.
  for (int64_t b = 0; b < border_count; ++b) {
    if (borders[b].source < 0) continue;
    if (line_of[borders[b].source] < 0) {
      line_of[borders[b].source] = static_cast<int32_t>(borders[b].line);
      first_column = std::min(first_column, borders[b].source);
      end_column = std::max(end_column, borders[b].source + 1);
    }
  }

  for (int64_t p = 0; p < depth.kernel; ++p) {
    const int64_t z =
        padded_position(mode_, chunk.depth * depth.stride - depth.pad_before + p * depth.dilation, depth.in);
    for (int64_t block = 0; block < blocks_; ++block) {
      uint8_t* phase = frame + (p * blocks_ + block) * frame_lines(height, width) * kTileDepth;
      for (int64_t slot = 0; slot < height.phases; ++slot) {
        for (int64_t i = 0; i < height.length; ++i) {
          uint8_t* const to = phase + i * width.length * kTileDepth;
          const int64_t y = padded_position(mode_, height.input(slot, i), in_height.in);
          if (z < 0 || y < 0) {
            for (int64_t s = 0; s < width.phases; ++s)
              source.fill(to + s * phase_lines * kTileDepth, width.length);
            continue;
          }
          if (first_column < end_column) {
            source.write(block, z * in_height.in + y, first_column, end_column - first_column,
                         line_of + first_column, to);
          }
          for (int64_t b = 0; b < border_count; ++b) {
            uint8_t* const line = to + borders[b].line * kTileDepth;
            if (borders[b].source < 0) {
              source.fill(line, 1);
            } else if (line_of[borders[b].source] != borders[b].line) {
              std::memcpy(line, to + line_of[borders[b].source] * kTileDepth, kTileDepth);
            }
          }
        }
        phase += width.phases * phase_lines * kTileDepth;
      }
    }
  }
  pixels.steps = list_steps(pixels, arena);
  list_runs(chunk, pixels, arena);
  return pixels;
}

// Where each step's pixels begin, in the order of the weights: [block][tap].
const int64_t* TileGeometry::list_steps(const TilePixels& pixels, ArenaFrame& arena) const {
  auto* const steps = arena.take<int64_t>(steps_);
  int64_t* to = steps;
  if (is_product_) {
    for (int64_t block = 0; block < blocks_; ++block) *to++ = block * kTileBytes;
    return steps;
  }
  const TileAxis &height = pixels.height, &width = pixels.width;
  const int64_t phase_lines = height.length * width.length;
  for (int64_t block = 0; block < blocks_; ++block) {
    for (int64_t p = 0; p < axis_[0].kernel; ++p) {
      for (int64_t q = 0; q < height.kernel; ++q) {
        for (int64_t r = 0; r < width.kernel; ++r) {
          const int64_t phase = height.slot(q) * width.phases + width.slot(r);
          const int64_t line = (p * blocks_ + block) * frame_lines(height, width) + phase * phase_lines +
                               height.shift(q) * pixels.pitch + width.shift(r);
          *to++ = line * kTileDepth;
        }
      }
    }
  }
  return steps;
}

void TileGeometry::list_runs(const PanelChunk& chunk, TilePixels& pixels, ArenaFrame& arena) const {
  pixels.calls = ceil_div(pixels.count, kMaxTilePixels);
  auto* const runs = arena.take<TileRun>(pixels.calls * kMaxTilePixels);
  auto* const counts = arena.take<int64_t>(pixels.calls);
  const int64_t plane = (chunk.depth * axis_[1].out + chunk.row) * axis_[2].out + chunk.column;
  for (int64_t i = 0; i < pixels.calls; ++i) {
    const int64_t first = i * kMaxTilePixels, end = std::min(first + kMaxTilePixels, pixels.count);
    TileRun* const of_call = runs + first;
    int64_t count = 0;
    for (int64_t row = first / pixels.pitch; row < chunk.rows && row * pixels.pitch < end; ++row) {
      const int64_t row_first = row * pixels.pitch;
      const int64_t from = std::max(first, row_first), to = std::min(end, row_first + chunk.columns);
      if (from >= to) continue;
      of_call[count++] = {static_cast<int32_t>(from - first), static_cast<int32_t>(to - from),
                          plane + row * axis_[2].out + from - row_first};
    }
    counts[i] = count;
  }
  pixels.runs = runs;
  pixels.run_counts = counts;
}

}  // namespace convmat
