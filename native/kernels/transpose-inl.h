// Transposition through registers, for operands of GEMM whose k runs along their rows.
#pragma once

#include "core/kernel_table.h"

namespace convmat::CONVMAT_ISA {
namespace {

// Squares of lanes x lanes. One that has fewer rows than lanes stores too much, over the beginning of the
// next of to's rows: so it goes before the squares that write there.
template <typename T>
void transpose_rows(int64_t rows, int64_t columns, const T* from, int64_t ld_from, T* to, int64_t ld_to) {
  constexpr int lanes = Vec<T>::lanes;
  for (int64_t c = 0; c < columns; c += lanes) {
    const int width = columns - c < lanes ? static_cast<int>(columns - c) : lanes;
    const Mask<T> mask = first_lanes<T>(width);
    for (int64_t r = (rows - 1) / lanes * lanes; r >= 0; r -= lanes) {
      const int height = rows - r < lanes ? static_cast<int>(rows - r) : lanes;
      const T* source = from + r * ld_from + c;
      Vec<T> square[lanes];
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        square[i] = i >= height     ? zero<T>()
                    : width < lanes ? load(source + i * ld_from, mask)
                                    : load(source + i * ld_from);
      }
      transpose(square);
      T* target = to + c * ld_to + r;
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        if (i < width) store(target + i * ld_to, square[i]);
      }
    }
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
