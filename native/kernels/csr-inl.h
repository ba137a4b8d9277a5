// Kernels of matrices in compressed sparse rows.
#pragma once

#include "table/csr.h"

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

// Entries ahead of those being multiplied that are fetched into cache meanwhile: as many as the core checks
// at a time, so that the check finds them there. A matrix streams through once, and hardware prefetchers stop
// at every 4 KiB; without this a Xeon (Sapphire Rapids) reaches two thirds of the speed.
constexpr int64_t kCsrAhead = 2048;

template <typename T>
CONVMAT_INLINE void csr_fetch(const CsrRows<T>& rows, int64_t begin, int64_t end) {
  constexpr int64_t line = 64 / sizeof(int32_t);
  for (int64_t p = begin; p < end; p += line) {
    CONVMAT_PREFETCH(rows.indices + p + kCsrAhead);
    CONVMAT_PREFETCH(rows.data + p + kCsrAhead);
    if constexpr (sizeof(T) > sizeof(int32_t)) CONVMAT_PREFETCH(rows.data + p + kCsrAhead + line / 2);
  }
}

// A row with fewer entries is summed one by one: neighbouring rows hide the latency of its additions.
constexpr int64_t kCsrShortRow = 16;

// Three sums cost the least to set up and to add.
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
  using V = Vec<T>;
  V even = zero<T>(), odd = zero<T>();
  for (; p + 2 * V::lanes <= end; p += 2 * V::lanes) {
    even = fma(load(data + p), gather(x, indices + p), even);
    odd = fma(load(data + p + V::lanes), gather(x, indices + p + V::lanes), odd);
  }
  if (p + V::lanes <= end) {
    even = fma(load(data + p), gather(x, indices + p), even);
    p += V::lanes;
  }
  return sum(add(even, odd)) + csr_short_row(indices, data, x, p, end);
}

template <typename T>
void csr_matvec(const CsrRows<T>& rows, const T* x, T* y) {
  int64_t p = rows.indptr[0];
  for (int64_t i = 0; i < rows.count; ++i) {
    const int64_t end = rows.indptr[i + 1];
    csr_fetch(rows, p, end);
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
    csr_fetch(rows, rows.indptr[i], rows.indptr[i + 1]);
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

// Whether all columns lie from 0 to cols - 1: a number below 0, or below 0 when it is taken from the last
// column, has its highest bit set.
inline bool csr_within(const int32_t* indices, int64_t count, int32_t cols) {
  const uint32_t last = static_cast<uint32_t>(cols) - 1u;
  uint32_t outside = 0;
  for (int64_t p = 0; p < count; ++p) {
    const auto index = static_cast<uint32_t>(indices[p]);
    outside |= index | (last - index);
  }
  return (outside >> 31) == 0;
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
