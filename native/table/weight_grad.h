// Gradients of weights: output channels on the lanes.
#pragma once

#include <cstdint>

namespace convmat {

// Gradients of some weights from rows of outputs, by some vectors of output channels:
//   sums[vector][places[weight]][lane] += sum over rows and columns of x[weight][row * x_row + column] dy[..]
// The gradient of the output lies [row][column][lane of all vectors], columns dy_pixel apart.
template <typename T>
struct WeightGradTile {
  const T* const* x;  // what each weight's first output reads
  int64_t x_row;
  const T* dy;
  int64_t dy_pixel;
  int64_t rows, columns;
  int64_t weights;
  const int64_t* places;  // of each weight
  T* sums;
  int64_t sums_vector;  // from one vector to the next
};
// vectors: 1 .. the direct blocking's
template <typename T>
using WeightGradFn = void(int vectors, const WeightGradTile<T>& tile);

}  // namespace convmat
