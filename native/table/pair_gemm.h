// Integer matrix products by tiles.
#pragma once

#include <cstdint>

namespace convmat {

// One tile of an integer product, C[m][n] = A[m][k] B[k][n] (+ C) modulo 2^32, of int16 values in pairs along
// k, an even k in the low half of an int32 and the next in the high half: exact for every mix of int8 and
// uint8.
struct PairGemmTile {
  int64_t pairs;     // of k
  const int32_t* a;  // packed for the tile's rows: [pairs][m]
  const int32_t* b;  // packed: [pairs][ldb], whole vectors of columns
  int64_t ldb;
  int32_t* c;
  int64_t ldc;
  int64_t n;  // as GemmTile, of f32's tile
  bool accumulate;
};
using PairGemmTileFn = void(int rows, const PairGemmTile& tile);

}  // namespace convmat
