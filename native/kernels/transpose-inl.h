// Transposition through registers, for operands of GEMM whose k runs along their rows.
#pragma once

#include "table/transpose.h"

namespace convmat::CONVMAT_ISA {
namespace {

// height x width of a square of lanes x lanes; WHOLE when it has them all. What `to` has no column for is
// stored too.
template <typename T, bool WHOLE>
CONVMAT_INLINE void transpose_square(int height, int width, const T* from, int64_t ld_from, T* to,
                                     int64_t ld_to) {
  constexpr int lanes = Vec<T>::lanes;
  const Mask<T> mask = first_lanes<T>(width);
  Vec<T> square[lanes];
  CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
    square[i] = WHOLE ? load(from + i * ld_from) : i < height ? load(from + i * ld_from, mask) : zero<T>();
  }
  transpose(square);
  CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
    if (WHOLE || i < width) store(to + i * ld_to, square[i]);
  }
}

// A square that has fewer rows than lanes stores too much, over the beginning of the next of to's rows: so it
// goes before the squares that write there.
template <typename T>
void transpose_rows(int64_t rows, int64_t columns, const T* from, int64_t ld_from, T* to, int64_t ld_to) {
  constexpr int lanes = Vec<T>::lanes;
  for (int64_t c = 0; c < columns; c += lanes) {
    const int width = columns - c < lanes ? static_cast<int>(columns - c) : lanes;
    for (int64_t r = (rows - 1) / lanes * lanes; r >= 0; r -= lanes) {
      const int height = rows - r < lanes ? static_cast<int>(rows - r) : lanes;
      const T* const source = from + r * ld_from + c;
      T* const target = to + c * ld_to + r;
      if (width == lanes && height == lanes) {
        transpose_square<T, true>(height, width, source, ld_from, target, ld_to);
      } else {
        transpose_square<T, false>(height, width, source, ld_from, target, ld_to);
      }
    }
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
