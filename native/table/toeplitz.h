// Products with sparse Toeplitz matrices: columns on the lanes.
#pragma once

#include <cstdint>

namespace convmat {

// A tile of a sparse Toeplitz product: n columns of some rows of the output, of one channel or of several in
// one row,
//   y[channel][row][column] = clamp(bias[channel] +
//       sum over steps of x[offsets[taps[step]] + row * x_row + column] * weights[step][channel]).
// Rows of x can be read up to a whole number of vectors. In `plane`, a step is a column of `height` taps, the
// first of which is named, the others x_row apart each, and its weights are [step][height].
template <typename T>
struct ToeplitzTile {
  const T* x;
  int64_t x_row;
  const int64_t* offsets;
  const int32_t* taps;
  const T* weights;
  int64_t steps, height;
  T* y;
  int64_t y_row, y_channel;
  int64_t n;
  const T* bias;  // one per channel, or null
  T lo, hi;       // -inf and +inf for none; NaN passes through
};

// How many rows, or channels, the tiles of sparse Toeplitz products have: the most up to n.
constexpr int32_t toeplitz_count(int64_t n) {
  return n >= 8 ? 8 : n >= 6 ? 6 : n >= 4 ? 4 : static_cast<int32_t>(n);
}

// `vectors` of sums at a time until n columns are done: 1, 2, 4 … up to `sums`; rows: a count up to sums /
// vectors.
template <typename T>
using ToeplitzRowsFn = void(int rows, int vectors, const ToeplitzTile<T>& tile);
// channels: a count up to mr; vectors: 1 or nv; one row.
template <typename T>
using ToeplitzChannelsFn = void(int channels, int vectors, const ToeplitzTile<T>& tile);
// rows: a count up to mr for 1 or nv vectors, up to wide_mr for wide_nv of them, and never more than
// `height`.
template <typename T>
using ToeplitzPlaneFn = void(int rows, int vectors, const ToeplitzTile<T>& tile);

struct ToeplitzBlocking {
  int32_t lanes, sums;
  int32_t mr, nv;
  int32_t wide_mr, wide_nv;
};

}  // namespace convmat
