// Kernels of matrices in compressed sparse rows.
#pragma once

#include "core/kernel_table.h"

namespace convmat::CONVMAT_ISA {
namespace {

template <typename T>
CONVMAT_INLINE T csr_add(T sum, T a, T b) {
#if defined(__FMA__) || defined(__aarch64__)
  if constexpr (sizeof(T) == sizeof(float)) return __builtin_fmaf(a, b, sum);
  return __builtin_fma(a, b, sum);
#else
  return sum + a * b;
#endif
}

// Elements of x are loaded one by one: gathering instructions are slower on many CPUs (Zen 4: by half). Eight
// sums hide the latency of additions in long rows; in short ones neighbouring rows do, and three sums cost
// the least to set up and to add.
template <typename T>
CONVMAT_INLINE T csr_short_row(const int32_t* indices, const T* data, const T* x, int64_t p, int64_t end) {
  T s0 = 0, s1 = 0, s2 = 0;
  for (; p + 3 <= end; p += 3) {
    s0 = csr_add(s0, data[p], x[indices[p]]);
    s1 = csr_add(s1, data[p + 1], x[indices[p + 1]]);
    s2 = csr_add(s2, data[p + 2], x[indices[p + 2]]);
  }
  for (; p < end; ++p) s0 = csr_add(s0, data[p], x[indices[p]]);
  return (s0 + s1) + s2;
}

template <typename T>
CONVMAT_INLINE T csr_long_row(const int32_t* indices, const T* data, const T* x, int64_t p, int64_t end) {
  T s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
  for (; p + 8 <= end; p += 8) {
    s0 = csr_add(s0, data[p], x[indices[p]]);
    s1 = csr_add(s1, data[p + 1], x[indices[p + 1]]);
    s2 = csr_add(s2, data[p + 2], x[indices[p + 2]]);
    s3 = csr_add(s3, data[p + 3], x[indices[p + 3]]);
    s4 = csr_add(s4, data[p + 4], x[indices[p + 4]]);
    s5 = csr_add(s5, data[p + 5], x[indices[p + 5]]);
    s6 = csr_add(s6, data[p + 6], x[indices[p + 6]]);
    s7 = csr_add(s7, data[p + 7], x[indices[p + 7]]);
  }
  return csr_short_row(indices, data, x, p, end) + (((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7)));
}

constexpr int64_t kCsrShortRow = 24;

template <typename T>
void csr_matvec(const CsrRows<T>& rows, const T* x, T* y) {
  const int32_t* const indptr = rows.indptr;
  int64_t p = indptr[0];
  for (int64_t i = 0; i < rows.count; ++i) {
    const int64_t end = indptr[i + 1];
    y[i] = end - p < kCsrShortRow ? csr_short_row(rows.indices, rows.data, x, p, end)
                                  : csr_long_row(rows.indices, rows.data, x, p, end);
    p = end;
  }
}

// x[indices] += y * data: rows one after the other, since they may meet in a column.
template <typename T>
void csr_rmatvec(const CsrRows<T>& rows, const T* y, T* x) {
  for (int64_t i = 0; i < rows.count; ++i) {
    const T factor = y[i];
    for (int64_t p = rows.indptr[i]; p < rows.indptr[i + 1]; ++p) {
      x[rows.indices[p]] = csr_add(x[rows.indices[p]], rows.data[p], factor);
    }
  }
}

// y[i][columns] = sum of data * x[indices][columns], NV vectors of columns at a time.
template <typename T, int NV>
CONVMAT_INLINE void csr_row_product(const CsrRows<T>& rows, int64_t i, const T* x, int64_t columns, int64_t n,
                                    T* y) {
  using V = Vec<T>;
  V sums[NV];
  CONVMAT_UNROLL for (int v = 0; v < NV; ++v) sums[v] = zero<T>();
  const int64_t last = n - (NV - 1) * V::lanes;
  const auto tail = first_lanes<T>(static_cast<int>(last));
  const bool whole = last == V::lanes;
  for (int64_t p = rows.indptr[i]; p < rows.indptr[i + 1]; ++p) {
    const V factor = broadcast(rows.data[p]);
    const T* const from = x + static_cast<int64_t>(rows.indices[p]) * columns;
    CONVMAT_UNROLL for (int v = 0; v < NV - 1; ++v) sums[v] = fma(factor, load(from + v * V::lanes), sums[v]);
    const T* const end = from + (NV - 1) * V::lanes;
    sums[NV - 1] = fma(factor, whole ? load(end) : load(end, tail), sums[NV - 1]);
  }
  CONVMAT_UNROLL for (int v = 0; v < NV - 1; ++v) store(y + v * V::lanes, sums[v]);
  store(y + (NV - 1) * V::lanes, tail, sums[NV - 1]);
}

template <typename T>
void csr_matmat(const CsrRows<T>& rows, const T* x, int64_t columns, T* y) {
  constexpr int64_t lanes = Vec<T>::lanes;
  for (int64_t i = 0; i < rows.count; ++i) {
    for (int64_t k = 0; k < columns;) {
      const int64_t left = columns - k;
      T* const to = y + i * columns + k;
      if (left > 2 * lanes) {
        const int64_t n = left < 4 * lanes ? left : 4 * lanes;
        if (n > 3 * lanes) {
          csr_row_product<T, 4>(rows, i, x + k, columns, n, to);
        } else {
          csr_row_product<T, 3>(rows, i, x + k, columns, n, to);
        }
        k += n;
      } else if (left > lanes) {
        csr_row_product<T, 2>(rows, i, x + k, columns, left, to);
        k += left;
      } else {
        csr_row_product<T, 1>(rows, i, x + k, columns, left, to);
        k += left;
      }
    }
  }
}

// The largest of some columns, negative ones counting as huge.
inline uint32_t csr_largest(const int32_t* indices, int64_t count) {
  uint32_t largest = 0;
  for (int64_t p = 0; p < count; ++p) {
    const auto index = static_cast<uint32_t>(indices[p]);
    largest = index > largest ? index : largest;
  }
  return largest;
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
