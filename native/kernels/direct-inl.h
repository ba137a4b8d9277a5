// Direct convolution: output channels on the lanes, pixels broadcast from the image as it lies in memory. No
// patch matrix is packed, and pixels come in steps of one, so no part of a small map is computed in vain.
#pragma once

#include "core/kernel_table.h"

namespace convmat::CONVMAT_ISA {
namespace {

// Taps between a weight's prefetch and its use: the weights stream from L2 while 4 vectors by 7 pixels are
// summed, 28 cycles a tap.
constexpr int kDirectPrefetch = 12;

// y[channel][pixel] <-- acc[pixel][channel], a square of lanes at a time, from pixel FIRST on.
template <typename T, int NV, int TP, int FIRST = 0>
CONVMAT_INLINE void direct_store(const DirectTile<T>& tile, const Vec<T> (&acc)[TP][NV]) {
  constexpr int lanes = Vec<T>::lanes;
  constexpr int pixels = TP - FIRST < lanes ? TP - FIRST : lanes;
  const int64_t y_channel = tile.y_channel;
  CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
    Vec<T> rows[lanes];
    CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) rows[i] = i < pixels ? acc[FIRST + i][v] : zero<T>();
    transpose(rows);
    T* y = tile.y + v * lanes * y_channel + FIRST;
    const int64_t channels = tile.channels - v * lanes;
    CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
      if (i < channels) store_first<pixels>(y, rows[i]);
      y += y_channel;
    }
  }
  if constexpr (FIRST + lanes < TP) direct_store<T, NV, TP, FIRST + lanes>(tile, acc);
}

// NV vectors of channels by TP pixels. As in gemm_ukr, every index into `acc` must be a constant.
template <typename T, int NV, int TP>
CONVMAT_NOINLINE void direct_ukr(const DirectTile<T>& tile) {
  using V = Vec<T>;
  constexpr int lanes = V::lanes;
  constexpr int line = 64 / sizeof(T);
  V acc[TP][NV];
  alignas(64) T total[TP * NV * lanes];  // of the blocks before the last, when there is more than one

  const T* x = tile.x;
  const T* w = tile.w;
  for (int64_t block = 1;; ++block) {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[p][v] = zero<T>();
    }
    const bool last = block == tile.blocks;
    const DirectTap* tap = tile.taps;
    for (const DirectTap* const end = tap + (last ? tile.last_block_taps : tile.block_taps); tap != end;
         ++tap) {
      const T* const x_tap = x + tap->input;
      const T* const w_tap = w + tap->weight;
      CONVMAT_UNROLL for (int i = 0; i < NV * lanes; i += line) {
        CONVMAT_PREFETCH(w_tap + kDirectPrefetch * NV * lanes + i);
      }
      V weights[NV];
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) weights[v] = load(w_tap + v * lanes);
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
        const V pixel = broadcast(x_tap[p]);
        CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[p][v] = fma(weights[v], pixel, acc[p][v]);
      }
    }
    if (block > 1) {
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
        CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
          acc[p][v] = add(acc[p][v], load(total + (p * NV + v) * lanes));
        }
      }
    }
    if (last) break;
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) store(total + (p * NV + v) * lanes, acc[p][v]);
    }
    x += tile.x_block;
    w += tile.w_block;
  }

  const V lo = broadcast(tile.lo), hi = broadcast(tile.hi);
  CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
    const V bias = load(tile.bias + v * lanes);
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) acc[p][v] = min(hi, max(lo, add(acc[p][v], bias)));
  }

  direct_store<T, NV, TP>(tile, acc);
}

// Finds the tile of `vectors` by `pixels`.
template <typename T, int NV = kDirectNv, int TP = direct_blocking<T>.max_pixels(NV)>
void direct_tile(int vectors, int pixels, const DirectTile<T>& tile) {
  if constexpr (NV > 1) {
    if (vectors < NV) return direct_tile<T, NV - 1>(vectors, pixels, tile);
  }
  if constexpr (TP > 1) {
    if (pixels < TP) return direct_tile<T, NV, TP - 1>(NV, pixels, tile);
  }
  direct_ukr<T, NV, TP>(tile);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
