// The pixels of a convolution as a unit of tiles multiplies them, whatever their numbers are. A kernel of one
// tap that reads every pixel once is a plain product of weights by pixels: the pixels are its columns. Any
// other reads a frame of lines, one for some channels of a pixel, padding among them: a tap is a shift by
// whole lines, so that 16 neighbouring lines are a tile of the product's rows. Pixels that lie on the padding
// between rows are computed, too, and left out of the result.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "product/panel_chunks.h"
#include "runtime/arena.h"
#include "table/tiles.h"

namespace convmat {

// How the taps of one axis find a chunk's inputs. Inputs first + t of the padded axis lie in the phase t mod
// stride, at t div stride; tap r of output i reads phase r * dilation mod stride at i + shift(r).
struct TileAxis {
  TileAxis() = default;
  TileAxis(const Axis& axis, int64_t first_output, int64_t outputs)
      : first(first_output * axis.stride - axis.pad_before),
        stride(axis.stride),
        dilation(axis.dilation),
        kernel(axis.kernel),
        length(outputs + (axis.kernel - 1) * axis.dilation / axis.stride),
        phases(std::min(axis.kernel, phase_period())) {}

  // Taps r and r + period read one phase.
  int64_t phase_period() const {
    int64_t a = stride, b = dilation % stride;
    while (b != 0) {
      const int64_t rest = a % b;
      a = b;
      b = rest;
    }
    return stride / a;
  }
  // Which of the phases that are read, in the order of the taps.
  int64_t slot(int64_t tap) const { return tap % phases; }
  int64_t shift(int64_t tap) const { return tap * dilation / stride; }
  // The input that element i of a phase holds, before padding.
  int64_t input(int64_t of_slot, int64_t i) const { return first + i * stride + of_slot * dilation % stride; }

  int64_t first = 0, stride = 1, dilation = 1, kernel = 1;
  int64_t length = 0;  // of a phase
  int64_t phases = 1;  // that are read
};

// The operand that a chunk multiplies by all its weights.
struct TilePixels {
  const uint8_t* data;
  int64_t count;      // pixels, those between rows of outputs among them
  int64_t next_tile;  // bytes
  int64_t pitch;      // from one row of outputs to the next
  TileAxis height, width;
  const int64_t* steps;  // bytes from `data` to each step's first tile

  // Calls of kMaxTilePixels pixels each, and the runs of their results.
  int64_t calls;
  const TileRun* runs;  // kMaxTilePixels for each call
  const int64_t* run_counts;
};

// Where the lines of a frame come from: one image and group.
class TileLineSource {
 public:
  virtual ~TileLineSource() = default;
  // Lines that stand for padding.
  virtual void fill(uint8_t* to, int64_t lines) const = 0;
  // The channels of a block, of `columns` columns of a row (counted through the plane) from `column` on, to
  // the lines that are named, those of -1 left out.
  virtual void write(int64_t block, int64_t row, int64_t column, int64_t columns, const int32_t* lines,
                     uint8_t* to) const = 0;
};

class TileGeometry {
 public:
  // Of a group. `line_channels`: how many a line holds.
  TileGeometry(const Axis (&axis)[3], PaddingMode mode, int64_t channels, int64_t line_channels);

  bool is_product() const { return is_product_; }  // weights by pixels, without a frame
  int64_t blocks() const { return blocks_; }       // of channels, of a line each
  int64_t steps() const { return steps_; }         // [block][tap]
  // Of the frame of a block of outputs.
  int64_t frame_bytes(int64_t rows, int64_t columns) const;

  // What a chunk multiplies: the columns of a product, [tile][block][16 lines], which the caller has made; or
  // a frame, which is made here.
  TilePixels columns(const PanelChunk& chunk, const uint8_t* data, ArenaFrame& arena) const;
  TilePixels frame(const PanelChunk& chunk, const TileLineSource& source, ArenaFrame& arena) const;

 private:
  const int64_t* list_steps(const TilePixels& pixels, ArenaFrame& arena) const;
  void list_runs(const PanelChunk& chunk, TilePixels& pixels, ArenaFrame& arena) const;

  Axis axis_[3];
  PaddingMode mode_;
  bool is_product_;
  int64_t blocks_, steps_;
};

}  // namespace convmat
