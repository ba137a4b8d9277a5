// Direct convolution: output channels on the lanes, pixels broadcast from the image as it lies in memory. No
// patch matrix is packed, and pixels come in steps of one, so no part of a small map is computed in vain.
#pragma once

#include "table/direct.h"

namespace convmat::CONVMAT_ISA {
namespace {

// Taps between a weight's prefetch and its use: the weights stream from L2 while 4 vectors by 7 pixels are
// summed, 28 cycles a tap.
constexpr int kDirectPrefetch = 12;

// sums[pixel][vector], of one block of taps or with what the blocks before have left there. As in gemm_ukr,
// every index into `acc` must be a constant.
template <typename T, int NV, int TP>
CONVMAT_NOINLINE void direct_ukr(const DirectTap* tap, const DirectTap* end, const T* x, const T* w,
                                 bool accumulate, T* sums, const T* ahead, int64_t ahead_tap) {
  using V = Vec<T>;
  constexpr int lanes = V::lanes;
  constexpr int line = 64 / sizeof(T);
  V acc[TP][NV];
  CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[p][v] = zero<T>();
  }
  for (; tap != end; ++tap) {
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
    // Here and not above: there Clang 14 shuffles the accumulators, 20 moves a tap.
    CONVMAT_PREFETCH(ahead);
    ahead += ahead_tap;
  }
  if (accumulate) {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
        acc[p][v] = add(acc[p][v], load(sums + (p * NV + v) * lanes));
      }
    }
  }
  CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) store(sums + (p * NV + v) * lanes, acc[p][v]);
  }
}

template <typename T>
using DirectUkr = void(const DirectTap* tap, const DirectTap* end, const T* x, const T* w, bool accumulate,
                       T* sums, const T* ahead, int64_t ahead_tap);

template <typename T, int NV = kDirectNv, int TP = direct_blocking<T>.max_pixels(NV)>
DirectUkr<T>* direct_ukr_of(int vectors, int pixels) {
  if constexpr (NV > 1) {
    if (vectors < NV) return direct_ukr_of<T, NV / 2>(vectors, pixels);
  }
  if constexpr (TP > 1) {
    if (pixels < TP) return direct_ukr_of<T, NV, TP - 1>(NV, pixels);
  }
  return direct_ukr<T, NV, TP>;
}

// y[channel][pixel] <-- clamp(bias + sums[pixel][channel]) for `count` <= ROWS pixels and a vector of
// channels.
template <typename T, int ROWS>
CONVMAT_INLINE void direct_store_rows(const T* sums, int64_t pixel, int count, const T* bias, int channels,
                                      Vec<T> lo, Vec<T> hi, T* y, int64_t y_channel) {
  constexpr int parts = Vec<T>::lanes / ROWS;
  const Vec<T> start = load(bias);
  Vec<T> rows[ROWS];
  CONVMAT_UNROLL for (int i = 0; i < ROWS; ++i) {
    rows[i] = i < count ? min(hi, max(lo, add(load(sums + i * pixel), start))) : zero<T>();
  }
  transpose(rows);
  CONVMAT_UNROLL for (int part = 0; part < parts; ++part) {
    const Mask<T> mask = mask_of<T>(((1u << count) - 1u) << (part * ROWS));
    CONVMAT_UNROLL for (int i = 0; i < ROWS; ++i) {
      const int channel = parts == 1 ? i : (i / 4 * parts + part) * 4 + i % 4;
      if (channel < channels) store(y + channel * y_channel - part * ROWS, mask, rows[i]);
    }
  }
}

// One routine for all tiles: unrolled for each, the transpositions would be most of the kernels' code.
template <typename T>
void direct_store(int vectors, int64_t pixels, const DirectStore<T>& f) {
  constexpr int lanes = Vec<T>::lanes;
  const Vec<T> lo = broadcast(f.lo), hi = broadcast(f.hi);
  const int64_t pixel = int64_t{vectors} * lanes;
  for (int v = 0; v < vectors; ++v) {
    const int64_t left = f.channels - v * lanes;
    const int channels = left < lanes ? static_cast<int>(left) : lanes;
    const T* const bias = f.bias + v * lanes;
    const T* from = f.sums + v * lanes;
    T* y = f.y + v * lanes * f.y_channel;
    for (int i = 0; i < channels && f.is_far; ++i) {
      const T* const row = y + i * f.y_channel;
      for (int64_t j = 0; j < pixels; j += 64 / static_cast<int64_t>(sizeof(T)))
        CONVMAT_PREFETCH_WRITE(row + j);
    }
    for (int64_t rest = pixels; rest > 0; rest -= lanes, from += lanes * pixel, y += lanes) {
      const int count = rest < lanes ? static_cast<int>(rest) : lanes;
      if constexpr (lanes == 16) {
        // Fewer rows take fewer shuffles: maps of 7 columns, and ends of rows.
        if (count <= 4) {
          direct_store_rows<T, 4>(from, pixel, count, bias, channels, lo, hi, y, f.y_channel);
          continue;
        }
        if (count <= 8) {
          direct_store_rows<T, 8>(from, pixel, count, bias, channels, lo, hi, y, f.y_channel);
          continue;
        }
      }
      direct_store_rows<T, lanes>(from, pixel, count, bias, channels, lo, hi, y, f.y_channel);
    }
  }
}

template <typename T>
void direct_store_blocks(int vectors, int64_t pixels, const DirectStore<T>& f) {
  constexpr int lanes = Vec<T>::lanes;
  const Vec<T> lo = broadcast(f.lo), hi = broadcast(f.hi);
  const int64_t pixel = int64_t{vectors} * lanes;
  for (int v = 0; v < vectors; ++v) {
    const Vec<T> bias = load(f.bias + v * lanes);
    const T* from = f.sums + v * lanes;
    T* to = f.y + v * f.y_channel;
    for (int64_t p = 0; p < pixels; ++p, from += pixel, to += lanes)
      store(to, min(hi, max(lo, add(load(from), bias))));
  }
}

// 56 pixels are 8 tiles of 7, 30 are 3 of 10: an even split.
template <typename T>
void direct_sums(int vectors, int64_t pixels, const DirectSums<T>& f) {
  const int64_t most = direct_blocking<T>.max_pixels(vectors);
  const int64_t tiles = (pixels + most - 1) / most;
  const int64_t narrow = pixels / tiles, wide_tiles = pixels % tiles;
  const int64_t width = int64_t{vectors} * Vec<T>::lanes;
  const DirectTap* const end = f.taps + f.tap_count;
  const T* x = f.x;
  T* sums = f.sums;
  const T* ahead = f.ahead;
  const auto run = [&](int64_t tile_pixels, int64_t count) {
    if (count == 0) return;
    DirectUkr<T>* const ukr = direct_ukr_of<T>(vectors, static_cast<int>(tile_pixels));
    for (int64_t i = 0; i < count; ++i) {
      ukr(f.taps, end, x, f.w, f.accumulate, sums, ahead, f.ahead_tap);
      ahead += f.tap_count * f.ahead_tap;
      x += tile_pixels;
      sums += tile_pixels * width;
    }
  };
  run(narrow + 1, wide_tiles);
  run(narrow, tiles - wide_tiles);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
