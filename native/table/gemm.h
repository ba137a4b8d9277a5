// Matrix products by tiles.
#pragma once

#include <cstdint>

namespace convmat {

// One tile of a matrix product, C[m][n] = A[m][k] B[k][n] (+ C) (+ bias), clamped. Strides are in elements.
template <typename T>
struct GemmTile {
  int64_t k;
  const T* a;  // packed for the tile's rows: [k][m]
  const T* b;  // rows of n elements, `ldb` apart: a packed panel, or the rows of a matrix in place
  int64_t ldb;
  T* c;
  int64_t ldc;
  int64_t n;        // 1 .. the table's widest tile for m rows; nothing is read or written beyond column n
  bool accumulate;  // add to what C holds
  const T* bias;    // one per row, added before clamping; or null
  T lo, hi;         // -inf and +inf for none; NaN passes through
};

// rows: m, 1 .. mr.
template <typename T>
using GemmTileFn = void(int rows, const GemmTile<T>& tile);

// Sizes that the blocked driver needs, measured together with the kernel: a tile is `mr` rows by `nr`
// columns, or at most `wide_mr` rows by `wide_nr` columns, which serves few rows better.
struct GemmBlocking {
  int32_t mr, nr;
  int32_t wide_mr, wide_nr;
  int32_t kc;        // rows of B per block: long ones read C back less often, short ones sum more accurately
  int32_t b_bytes;   // of B's panels that A passes by at a time: they stay in L2
  int32_t c_bytes;   // of C that one pass over a block of k updates: stays in L2 beside A's and B's panels
  float fma_per_ns;  // of one core, about: to tell work that is worth sharing out
};

}  // namespace convmat
