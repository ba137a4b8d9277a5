// Depthwise convolution.
#pragma once

#include <cstdint>

namespace convmat {

// Rows of some planes' convolutions, each with its own 3 x 3 or 5 x 5 kernel, strides of 1 or 2, and zeros
// around it.
template <typename T>
struct DepthwisePlanes {
  const T* x;  // [plane][in_rows][in_columns]
  int64_t in_rows, in_columns;
  int64_t pad_top, pad_left;
  const T* w;     // [plane][kernel][kernel]
  const T* bias;  // [plane]
  T lo, hi;
  T* y;  // [plane][out_rows][out_columns]
  int64_t out_rows, out_columns;
  int64_t first_row, rows;
  int64_t planes;
};
// Outputs of a tile: rows by vectors of columns.
struct DepthwiseBlocking {
  int32_t rows, vectors;
};

// down, across: the strides.
template <typename T>
using DepthwisePlanesFn = void(int kernel, int down, int across, const DepthwisePlanes<T>&);

}  // namespace convmat
