// Frames: copies of what a block of outputs reads.
#pragma once

#include <cstdint>

namespace convmat {

// What a row of a frame holds of one phase: `before` zeros, `count` elements of the image's row from `first`
// on, `after` zeros.
struct FramePhase {
  int64_t first, before, count, after;
};

// Copies rows into a frame, one plane after the other, and of each row its phases, whose elements lie `step`
// apart in the image. Up to a vector more is overwritten behind each phase, before the next is written.
template <typename T>
struct FrameRows {
  const T* from;
  int64_t from_plane, from_row, step;
  T* to;
  int64_t to_plane, to_row, to_phase;
  int64_t planes, rows;
  const FramePhase* phases;
  int64_t phase_count;
};
template <typename T>
using FrameRowsFn = void(const FrameRows<T>&);

}  // namespace convmat
