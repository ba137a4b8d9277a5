// The lowered matrix of a convolution, described but never stored: columns[c * taps][outputs] <--
// image[c][in].
//
// Forward convolutions and (per sub-lattice of the stride) transposed ones both have this form.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/arena.h"
#include "table/table.h"

namespace convmat {

// Output i, tap t reads position i * step + t * tap_step + first of the image's axis.
struct LoweredAxis {
  int64_t in, out, taps;
  int64_t step, tap_step, first;
};

struct Lowering {
  LoweredAxis axis[3];
  PaddingMode padding_mode;
  int64_t channels, channel_stride;

  int64_t taps() const { return axis[0].taps * axis[1].taps * axis[2].taps; }
  int64_t rows() const { return channels * taps(); }
  int64_t outputs() const { return axis[0].out * axis[1].out * axis[2].out; }
  // The lowered matrix is the image itself, as for 1x1 kernels at stride 1.
  bool is_image() const;
};

// Of one group of the forward convolution.
Lowering lower_forward(const ConvPlan& plan);

// The position that `mode` reads for one that may lie outside [0, in); -1 where it is zero.
int64_t padded_position(PaddingMode mode, int64_t position, int64_t in);

// Outputs [begin, end) of an axis that read within the image, when output i reads position first + i * step.
struct Span {
  int64_t begin, end;
};
Span outputs_inside(const LoweredAxis& axis, int64_t first);

// Rows [channel][tap] of the lowered matrix, in blocks of whole channels or, where one channel has more taps
// than a block should have rows, of part of a channel.
struct RowBlocks {
  RowBlocks(const Lowering& lowering, int64_t max_rows);

  struct Block {
    int64_t channel, channels, tap, taps;
    int64_t rows() const { return channels * taps; }
  };
  int64_t count() const { return channel_blocks * tap_blocks; }
  Block operator[](int64_t index) const;
  int64_t max_rows() const { return block_channels * block_taps; }

  int64_t channels, taps;
  int64_t block_channels, channel_blocks;
  int64_t block_taps, tap_blocks;
};

// Where the taps find a range of columns in the image: what Im2colPanel takes.
class PanelSegments {
 public:
  // Memory for up to max_taps taps and max_columns (<= kMaxPanelColumns) columns at a time.
  PanelSegments(ArenaFrame& frame, const Lowering& lowering, int64_t max_taps, int64_t max_columns);

  // Columns [column, column + count) of taps [tap, tap + taps).
  void describe(int64_t column, int64_t count, int64_t tap, int64_t taps);
  const int32_t* tap_begin() const { return tap_begin_; }
  const PanelSegment* segments() const { return segments_; }

 private:
  // Neighbouring outputs of one image row.
  struct Run {
    int32_t column, count;
    int64_t depth, height, width;  // of the first output
  };
  void append(const PanelSegment& segment);
  void append_run(const Run& run, int64_t tap_depth, int64_t tap_height, int64_t tap_width);

  const Lowering& lowering_;
  int32_t* tap_begin_;
  PanelSegment* segments_;
  Run* runs_;
  int32_t count_ = 0;      // of segments
  int32_t tap_first_ = 0;  // segment of the tap being described
};

}  // namespace convmat
