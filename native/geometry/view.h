// How direct kernels see their input: neighbouring output pixels read neighbouring elements, whatever the
// stride, the dilation and the padding. Where the image itself does not look so, the part that a block of
// outputs reads is copied into a frame that does.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/arena.h"
#include "table/table.h"

namespace convmat {

// A block of outputs of one image: rows of one depth.
struct OutputBlock {
  int64_t depth;
  int64_t first_row, rows;
  int64_t first_column, columns;
};

// Output row i and column j of the block, channel c and tap (p, q, r) read
//   origin[c * channel + i * out_row + p * tap_depth + q * tap_row + tap_column[r] + j]
// With zeros padding, the rows of taps outside the image are not there: `valid_taps` says which are.
template <typename T>
struct InputView {
  const T* origin;
  int64_t channel, out_row, tap_depth, tap_row;
  const int64_t* tap_column;
};

// Taps [first, end) of an axis that are inside the input for this output; all of them when padding is not
// zeros. The two come back in one register: a pair that is stored in halves and loaded as a whole waits until
// the stores before it have left the core.
struct TapRange {
  int32_t first, end;
};
TapRange valid_taps(PaddingMode mode, const Axis& axis, int64_t output);

// Whether the image can be read where it lies.
bool reads_in_place(PaddingMode mode, const Axis (&axis)[3]);

// Elements of a frame for this many rows and columns of outputs; `row_align` as in view_input.
int64_t frame_elements(const Axis (&axis)[3], int64_t channels, int64_t rows, int64_t columns,
                       int64_t row_align);

// frame[channel][depth][row][phase][column]. Columns of a stride s are dealt out by their position modulo s,
// so that those of one tap are neighbours; phases that no tap reads are left out.
struct FrameLayout {
  int64_t row_step;  // distance of the rows in the padded input that one after the other are kept
  int64_t depths, rows, columns;
  int64_t phases;               // how many are kept; the one of tap r is r modulo all there are
  int64_t pitch;                // from one phase to the next
  int64_t row, depth, channel;  // from one to the next
};
FrameLayout frame_layout(const Axis (&axis)[3], int64_t rows, int64_t columns, int64_t row_align);

// Elements that may be written behind a row of a frame, and so behind its last: more than any vector.
constexpr int64_t kLongestVector = 64;

// The view of a frame that holds what the block reads.
template <typename T>
InputView<T> view_frame(const FrameLayout& layout, const Axis (&axis)[3], const T* frame, ArenaFrame& arena);

// `image` holds `channels` planes. Rows of the frame begin at multiples of `row_align` elements.
template <typename T>
InputView<T> view_input(const Kernels<T>& kernels, PaddingMode mode, const Axis (&axis)[3], const T* image,
                        int64_t channels, const OutputBlock& block, int64_t row_align, ArenaFrame& arena);

}  // namespace convmat
