// Exact integer GEMM: the tiles of gemm-inl.h with int16 pairs for operands and int32 accumulators.
#pragma once

#include "table/pair_gemm.h"

namespace convmat::CONVMAT_ISA {
namespace {

// As gemm_finish.
CONVMAT_NOINLINE void pair_gemm_finish(const PairGemmTile& tile, int rows, int vectors, const int32_t* sums) {
  using V = Vec<int32_t>;
  for (int r = 0; r < rows; ++r) {
    int32_t* at = tile.c + r * tile.ldc;
    int64_t left = tile.n;
    for (int v = 0; v < vectors; ++v, sums += V::lanes, at += V::lanes, left -= V::lanes) {
      V sum = load(sums);
      if (left >= V::lanes) {
        if (tile.accumulate) sum = add(sum, load(at));
        store(at, sum);
      } else {
        const auto tail = first_lanes<int32_t>(static_cast<int>(left));
        if (tile.accumulate) sum = add(sum, load(at, tail));
        store(at, tail, sum);
      }
    }
  }
}

template <int MR, int NV>
CONVMAT_NOINLINE void pair_gemm_ukr(const PairGemmTile& tile) {
  using V = Vec<int32_t>;
  V acc[MR][NV];
  CONVMAT_UNROLL for (int r = 0; r < MR; ++r) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[r][v] = zero<int32_t>();
  }
  const int32_t* a = tile.a;
  const int32_t* b = tile.b;
  for (int64_t pair = tile.pairs; pair > 0; --pair) {
    V b_row[NV];
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) b_row[v] = load(b + v * V::lanes);
    CONVMAT_UNROLL for (int r = 0; r < MR; ++r) {
      const V a_pair = broadcast(a[r]);
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[r][v] = dot_pairs(a_pair, b_row[v], acc[r][v]);
    }
    a += MR;
    b += tile.ldb;
  }
  alignas(64) int32_t sums[MR * NV * V::lanes];
  CONVMAT_UNROLL for (int r = 0; r < MR; ++r) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) store(sums + (r * NV + v) * V::lanes, acc[r][v]);
  }
  pair_gemm_finish(tile, MR, NV, sums);
}

template <int MR, int NV = 1>
void pair_gemm_columns(const PairGemmTile& tile) {
  constexpr int widest = MR <= kGemmWideMr ? kGemmWideNv : kGemmNv;
  if constexpr (NV < widest) {
    if (tile.n > NV * Vec<int32_t>::lanes) return pair_gemm_columns<MR, NV + 1>(tile);
  }
  pair_gemm_ukr<MR, NV>(tile);
}

template <int MR = kGemmMr>
void pair_gemm_tile(int rows, const PairGemmTile& tile) {
  if (rows == MR) return pair_gemm_columns<MR>(tile);
  if constexpr (MR > 1) pair_gemm_tile<MR - 1>(rows, tile);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
