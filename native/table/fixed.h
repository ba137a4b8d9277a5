// Fixed-point convolution.
#pragma once

#include <cstdint>

namespace convmat {

// A row of outputs of a fixed-point convolution: integers of T, which the caller has bounded so that nothing
// overflows.
//   rounded(p) = floor((p + base + (p < 0 ? negative : 0) + (floor(p / 2^shift) odd ? odd : 0)) / 2^shift)
//   limited(q) = q clamped to [low, high], or wrapped into it: span is high - low
//   out[j] <-- every step: s = limited(s + limited(rounded(image * kernel))) tap by tap; else
//   limited(rounded(sum))
template <typename T>
struct FixedRow {
  const T* image;                 // what the first output's first tap reads
  int64_t image_pitch, tap_step;  // from one row, and one column, of taps to the next
  const T* kernel;                // flipped already: [kernel_rows][kernel_columns]
  int64_t kernel_rows, kernel_columns;
  T* out;
  int64_t count;
  bool every_step, wrap;
  int32_t shift;  // 0 or more; 2 or more where T has 16 bits
  T base, negative, odd;
  T low, high, span;
};
template <typename T>
using FixedRowFn = void(const FixedRow<T>& row);

// Sums of products of words as stored integers:
//   to[i] <-- the integer next to limited((p0 + (p1 + p2) * 2^8 + p3 * 2^16) * factor + addend)
// p0 ... are parts[0][i] ..., of which there are 1, 2 or 4; limited(v) = v clamped to [low, high]. The caller
// has seen to it that the arithmetic is exact in double and that nothing lies half way between two integers.
struct FixedStore {
  const int32_t* parts[4];
  int32_t part_count;
  int64_t count;
  double factor, addend, low, high;
  int32_t* to;
};
using FixedStoreFn = void(const FixedStore&);

}  // namespace convmat
