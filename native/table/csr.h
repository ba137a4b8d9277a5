// Products with matrices in compressed sparse rows.
#pragma once

#include <cstdint>

namespace convmat {

// Some rows of a matrix in compressed sparse rows: row i holds data[p] in column indices[p] for
// indptr[i] <= p < indptr[i + 1].
template <typename T>
struct CsrRows {
  int64_t count;
  const int32_t* indptr;
  const int32_t* indices;
  const T* data;
};

// y[rows] = rows * x
template <typename T>
using CsrMatvecFn = void(const CsrRows<T>& rows, const T* x, T* y);
// x += transposed rows * y[rows]
template <typename T>
using CsrRmatvecFn = void(const CsrRows<T>& rows, const T* y, T* x);
// y[rows][columns] = rows * x[][columns]
template <typename T>
using CsrMatmatFn = void(const CsrRows<T>& rows, const T* x, int64_t columns, T* y);
// Whether all of some columns lie from 0 to cols - 1.
using CsrWithinFn = bool(const int32_t* indices, int64_t count, int32_t cols);

}  // namespace convmat
