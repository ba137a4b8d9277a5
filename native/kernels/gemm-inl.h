// GEMM micro-kernels: a tile of C stays in registers while k runs; A comes packed and is broadcast, B's rows
// are loaded. The ISA's file says how large the tile is: kGemmMr x kGemmNv vectors, or kGemmWideMr x
// kGemmWideNv.
#pragma once

#include "table/gemm.h"

namespace convmat::CONVMAT_ISA {
namespace {

// C <-- clamp(sums[rows][vectors] + bias), or plus what C holds: once per tile, by one routine for all of
// them. Unrolled for each, it would be most of the kernels' code.
template <typename T>
CONVMAT_NOINLINE void gemm_finish(const GemmTile<T>& tile, int rows, int vectors, const T* sums) {
  using V = Vec<T>;
  const V lo = broadcast(tile.lo), hi = broadcast(tile.hi);
  for (int r = 0; r < rows; ++r) {
    T* at = tile.c + r * tile.ldc;
    const V bias = tile.bias == nullptr ? zero<T>() : broadcast(tile.bias[r]);
    int64_t left = tile.n;
    for (int v = 0; v < vectors; ++v, sums += V::lanes, at += V::lanes, left -= V::lanes) {
      V sum = load(sums);
      if (left >= V::lanes) {
        if (tile.accumulate) sum = add(sum, load(at));
        if (tile.bias != nullptr) sum = add(sum, bias);
        store(at, min(hi, max(lo, sum)));
      } else {
        const auto tail = first_lanes<T>(static_cast<int>(left));
        if (tile.accumulate) sum = add(sum, load(at, tail));
        if (tile.bias != nullptr) sum = add(sum, bias);
        store(at, tail, min(hi, max(lo, sum)));
      }
    }
  }
}

// MR rows by NV vectors; when PARTIAL, the last vector has fewer columns than lanes.
// The accumulators must stay in registers, so every index into `acc` is a constant once the loops are
// unrolled: one rolled loop over them, even in a rare branch, puts the array in memory and halves the speed.
template <typename T, int MR, int NV, bool PARTIAL>
CONVMAT_NOINLINE void gemm_ukr(const GemmTile<T>& tile) {
  using V = Vec<T>;
  const auto tail = first_lanes<T>(static_cast<int>(tile.n) - (NV - 1) * V::lanes);
  const auto is_partial = [](int v) { return PARTIAL && v == NV - 1; };

  V acc[MR][NV];
  CONVMAT_UNROLL for (int r = 0; r < MR; ++r) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[r][v] = zero<T>();
  }

  CONVMAT_UNROLL for (int r = 0; r < MR; ++r) {
    CONVMAT_UNROLL for (int i = 0; i < NV * V::lanes; i += 64 / static_cast<int>(sizeof(T))) {
      CONVMAT_PREFETCH_WRITE(tile.c + r * tile.ldc + i);
    }
  }
  const T* a = tile.a;
  const T* b = tile.b;
  const int64_t ldb = tile.ldb;
  for (int64_t k = tile.k; k > 0; --k) {
    V b_row[NV];
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
      b_row[v] = is_partial(v) ? load(b + v * V::lanes, tail) : load(b + v * V::lanes);
    }
    CONVMAT_UNROLL for (int r = 0; r < MR; ++r) {
      const V a_value = broadcast(a[r]);
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[r][v] = fma(a_value, b_row[v], acc[r][v]);
    }
    a += MR;
    b += ldb;
  }

  alignas(64) T sums[MR * NV * V::lanes];
  CONVMAT_UNROLL for (int r = 0; r < MR; ++r) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) store(sums + (r * NV + v) * V::lanes, acc[r][v]);
  }
  gemm_finish<T>(tile, MR, NV, sums);
}

// Chooses the narrowest tile of MR rows that holds tile.n columns.
template <typename T, int MR, int NV = 1>
void gemm_columns(const GemmTile<T>& tile) {
  constexpr int widest = MR <= kGemmWideMr ? kGemmWideNv : kGemmNv;
  constexpr int columns = NV * Vec<T>::lanes;
  if constexpr (NV < widest) {
    if (tile.n > columns) return gemm_columns<T, MR, NV + 1>(tile);
  }
  if (free_masks || tile.n < columns) return gemm_ukr<T, MR, NV, true>(tile);
  if constexpr (!free_masks) gemm_ukr<T, MR, NV, false>(tile);
}

// Every number of rows has its own kernel, so that no row is computed in vain.
template <typename T, int MR = kGemmMr>
void gemm_tile(int rows, const GemmTile<T>& tile) {
  if (rows == MR) return gemm_columns<T, MR>(tile);
  if constexpr (MR > 1) gemm_tile<T, MR - 1>(rows, tile);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
