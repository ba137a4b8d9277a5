// What kernels over one row of elements take: reductions, softmax, normalisation.
#pragma once

#include <cstddef>
#include <cstdint>

namespace convmat {

enum class RowReduction : int32_t { sum, maximum, minimum, product, absolute_sum, square_sum };

// Of n >= 1 elements, four vectors of partial results at a time: errors of sums grow with n / 64 at most.
using RowReduceFn = float(RowReduction reduction, const float* x, int64_t n);

// to[i] <-- reduction of to[i] and x[i]: what reduces along another axis than the last.
using RowAccumulateFn = void(RowReduction reduction, const float* x, float* to, int64_t n);

// y <-- e^(x - max x) over their sum, or x - max x less its logarithm. y may be x.
using RowSoftmaxFn = void(bool logarithm, const float* x, float* y, int64_t n);

// The same for n columns of `count` rows each, `row` elements apart.
struct ColumnSoftmax {
  const float* x;
  float* y;
  int64_t count, row, n;
  float* scratch;  // [2][n]
};
using ColumnSoftmaxFn = void(bool logarithm, const ColumnSoftmax& f);

// y <-- (x - mean) / sqrt(variance + epsilon), times scale, plus bias: one of each per element, or one for
// all.
struct RowNormalise {
  const float* x;
  float* y;
  int64_t n;
  float epsilon;
  const float* scale;
  const float* bias;
  bool is_per_element;
};
using RowNormaliseFn = void(const RowNormalise& f);

// y[i] <-- the product of row i and x, plus bias[i], clamped to [lo, hi]; NaN passes through. Rows are read
// once, from memory, where they may begin at any byte.
struct RowProducts {
  const std::byte* rows;  // [count][n], floats
  int64_t count, n;
  const float* x;
  const float* bias;
  float lo, hi;
  float* y;
};
using RowProductsFn = void(const RowProducts& p);

}  // namespace convmat
