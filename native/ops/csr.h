// Products with matrices in compressed sparse rows.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// A matrix in compressed sparse rows; indptr has rows + 1 offsets, indices and data nnz entries.
struct CsrMatrix {
  DType dtype;  // f32 or f64
  int64_t rows, cols, nnz;
  const int32_t* indptr;
  const int32_t* indices;
  const void* data;
};

// Arrays for such a matrix that is made: indptr has an element per output and one more.
struct CsrParts {
  int64_t nnz;
  int32_t* indptr;
  int32_t* indices;
  void* data;
};

// y = A x, x = A^T y (or x += A^T y, when it adds), y[rows][columns] = A x[cols][columns]. False, with an
// unspecified result, when offsets or columns lead outside the matrix: nothing is read or written there.
bool csr_matvec(const Context&, const CsrMatrix& a, const void* x, void* y);
bool csr_rmatvec(const Context&, const CsrMatrix& a, const void* y, void* x, bool adds = false);
bool csr_matmat(const Context&, const CsrMatrix& a, int64_t columns, const void* x, void* y);

}  // namespace convmat
