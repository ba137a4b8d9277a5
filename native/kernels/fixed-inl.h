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

template <int PARTS>
CONVMAT_NOINLINE void fixed_store_parts(const FixedStore& given) {
  using V = Vec<double>;
  // A copy, which no store through `to` can change.
  const FixedStore s = given;
  const V factor = broadcast(s.factor), addend = broadcast(s.addend);
  const V low = broadcast(s.low), high = broadcast(s.high);
  const auto store_vector = [&](const int32_t* const(&parts)[4], int64_t i, int32_t* to) {
    V sum = load_widened(parts[0] + i);
    if constexpr (PARTS > 1) {
      V middle = load_widened(parts[1] + i);
      if constexpr (PARTS > 2) middle = add(middle, load_widened(parts[2] + i));
      sum = add(sum, mul(middle, broadcast(256.0)));
    }
    if constexpr (PARTS > 2) sum = add(sum, mul(load_widened(parts[3] + i), broadcast(65536.0)));
    const V value = add(mul(sum, factor), addend);
    store_rounded(to, min(max(value, low), high));
  };
  int64_t i = 0;
  for (; i + V::lanes <= s.count; i += V::lanes) store_vector(s.parts, i, s.to + i);
  if (i == s.count) return;
  // The last ones, in a vector of their own.
  int32_t rest[4][V::lanes] = {}, last[V::lanes];
  const int32_t* const rests[4] = {rest[0], rest[1], rest[2], rest[3]};
  for (int p = 0; p < PARTS; ++p) {
    for (int64_t k = i; k < s.count; ++k) rest[p][k - i] = s.parts[p][k];
  }
  store_vector(rests, 0, last);
  for (int64_t k = i; k < s.count; ++k) s.to[k] = last[k - i];
}

void fixed_store(const FixedStore& s) {
  if (s.part_count == 1) return fixed_store_parts<1>(s);
  s.part_count == 2 ? fixed_store_parts<2>(s) : fixed_store_parts<4>(s);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
