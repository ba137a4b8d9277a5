// Fixed-point convolution of one row of outputs, all of them side by side: each output's sequence of
// roundings is its own. The loops are plain integers' of one width, which the compiler turns into vectors.
#pragma once

#include "table/fixed.h"

namespace convmat::CONVMAT_ISA {
namespace {

// floor(p / 2^shift). In 16 bits by the upper half of a product, since compilers shift those as 32.
template <typename T>
CONVMAT_INLINE T fixed_shift(const FixedRow<T>& row, T p) {
  if constexpr (sizeof(T) == 2) {
    const auto unit = static_cast<int16_t>(1 << (16 - row.shift));
    return static_cast<T>((int32_t{p} * int32_t{unit}) >> 16);
  } else {
    return static_cast<T>(p >> row.shift);
  }
}

// What FixedRow calls rounded(p).
template <typename T, bool SYMMETRIC>
CONVMAT_INLINE T fixed_round(const FixedRow<T>& row, T p) {
  if constexpr (!SYMMETRIC) return fixed_shift(row, static_cast<T>(p + row.base));
  const T sign = static_cast<T>(p >> (8 * sizeof(T) - 1));
  const T odd = static_cast<T>(fixed_shift(row, p) & row.odd);
  return fixed_shift(row, static_cast<T>(p + row.base + static_cast<T>(sign & row.negative) + odd));
}

template <typename T, bool WRAP>
CONVMAT_INLINE T fixed_limit(const FixedRow<T>& row, T q) {
  if constexpr (WRAP) return static_cast<T>(static_cast<T>(static_cast<T>(q - row.low) & row.span) + row.low);
  const T not_above = q < row.high ? q : row.high;
  return not_above > row.low ? not_above : row.low;
}

template <typename T, bool EVERY_STEP, bool WRAP, bool SYMMETRIC>
CONVMAT_NOINLINE void fixed_row_loops(const FixedRow<T>& given) {
  // A copy, which no store through `out` can change.
  const FixedRow<T> row = given;
  T* const out = row.out;
  for (int64_t j = 0; j < row.count; ++j) out[j] = 0;
  const T* weight = row.kernel;
  for (int64_t r = 0; r < row.kernel_rows; ++r) {
    const T* image = row.image + r * row.image_pitch;
    for (int64_t c = 0; c < row.kernel_columns; ++c, image += row.tap_step) {
      const T w = *weight++;
      for (int64_t j = 0; j < row.count; ++j) {
        const T product = static_cast<T>(image[j] * w);
        if constexpr (EVERY_STEP) {
          const T rounded = fixed_limit<T, WRAP>(row, fixed_round<T, SYMMETRIC>(row, product));
          out[j] = fixed_limit<T, WRAP>(row, static_cast<T>(out[j] + rounded));
        } else {
          out[j] = static_cast<T>(out[j] + product);
        }
      }
    }
  }
}

// Rounds once, in the end. The symmetric rounding without its `negative` and `odd` is the plain one, and once
// per output it costs nothing.
template <typename T, bool WRAP>
CONVMAT_INLINE void fixed_finish(const FixedRow<T>& row) {
  T* const out = row.out;
  for (int64_t j = 0; j < row.count; ++j)
    out[j] = fixed_limit<T, WRAP>(row, fixed_round<T, true>(row, out[j]));
}

template <typename T>
void fixed_last_step(const FixedRow<T>& given) {
  fixed_row_loops<T, false, false, false>(given);
  const FixedRow<T> row = given;
  row.wrap ? fixed_finish<T, true>(row) : fixed_finish<T, false>(row);
}

template <typename T>
void fixed_row(const FixedRow<T>& row) {
  if (!row.every_step) return fixed_last_step<T>(row);
  const bool symmetric = row.negative != 0 || row.odd != 0;
  if (row.wrap)
    return symmetric ? fixed_row_loops<T, true, true, true>(row) : fixed_row_loops<T, true, true, false>(row);
  symmetric ? fixed_row_loops<T, true, false, true>(row) : fixed_row_loops<T, true, false, false>(row);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
