// Convolution and pooling where channels lie in blocks of a vector's lanes: pixels are whole vectors, so that
// nothing is transposed, and the sixteen channels of a pixel are one line of the cache.
#pragma once

#include "table/blocked.h"

namespace convmat::CONVMAT_ISA {
namespace {

// Three vectors of channels by as many pixels as fit beside four's.
constexpr int64_t blocked_pixels(int vectors) {
  return vectors == 3 ? kDirectAccumulators / 3 : direct_blocking<float>.max_pixels(vectors);
}

// A tile whose first pixel is `x`. As in gemm_ukr, every index into `acc` must be a constant.
template <int NV, int TP, int S>
CONVMAT_NOINLINE void blocked_ukr(const BlockedProduct& f, const float* x, float* sums, int64_t pixel,
                                  const float* ahead) {
  using V = Vec<float>;
  constexpr int lanes = V::lanes;
  V acc[TP][NV];
  if (f.is_first) {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[p][v] = zero<float>();
    }
  } else {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[p][v] = load(sums + (p * NV + v) * lanes);
    }
  }
  for (const BlockedTap *tap = f.taps, *end = tap + f.tap_count; tap != end; ++tap) {
    const float* x_tap = x + tap->input;
    const float* w = f.w + tap->weight;
    const float* const w_end = w + tap->channels * NV * lanes;
    for (; w != w_end; w += NV * lanes, ++x_tap) {
      V weights[NV];
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) weights[v] = load(w + v * lanes);
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
        const V value = broadcast(x_tap[p * S * lanes]);
        CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[p][v] = fma(weights[v], value, acc[p][v]);
      }
      CONVMAT_PREFETCH(ahead);
      ahead += f.ahead_step;
    }
  }
  if (!f.is_last) {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) store(sums + (p * NV + v) * lanes, acc[p][v]);
    }
    return;
  }
  const V lo = broadcast(f.lo), hi = broadcast(f.hi);
  CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
    const int64_t at = v * f.y_vector + pixel * lanes;
    float* const y = f.y + at;
    const V bias = load(f.bias + v * lanes);
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) acc[p][v] = add(acc[p][v], bias);
    if (f.addend != nullptr) {
      const float* const addend = f.addend + at;
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) acc[p][v] = add(acc[p][v], load(addend + p * lanes));
    }
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) store(y + p * lanes, min(hi, max(lo, acc[p][v])));
  }
}

using BlockedUkr = void(const BlockedProduct& f, const float* x, float* sums, int64_t pixel,
                        const float* ahead);

template <int S, int NV = kDirectNv, int TP = blocked_pixels(NV)>
BlockedUkr* blocked_ukr_of(int vectors, int64_t pixels) {
  if constexpr (NV > 1) {
    if (vectors < NV) return blocked_ukr_of<S, NV - 1>(vectors, pixels);
  }
  if constexpr (TP > 1) {
    if (pixels < TP) return blocked_ukr_of<S, NV, TP - 1>(NV, pixels);
  }
  return blocked_ukr<NV, TP, S>;
}

// In tiles of nearly equal size.
template <int S>
void blocked_row(int vectors, int64_t pixels, const BlockedProduct& f) {
  constexpr int lanes = Vec<float>::lanes;
  const int64_t most = blocked_pixels(vectors), tiles = (pixels + most - 1) / most;
  const int64_t narrow = pixels / tiles, wide_tiles = pixels % tiles;
  int64_t channels = 0;
  for (int64_t t = 0; t < f.tap_count; ++t) channels += f.taps[t].channels;
  const float* x = f.x;
  float* sums = f.sums;
  const float* ahead = f.ahead;
  int64_t pixel = 0;
  const auto run = [&](int64_t of_tile, int64_t count) {
    if (count == 0) return;
    BlockedUkr* const ukr = blocked_ukr_of<S>(vectors, of_tile);
    for (int64_t i = 0; i < count; ++i) {
      ukr(f, x, sums, pixel, ahead);
      ahead += channels * f.ahead_step;
      x += of_tile * S * lanes;
      sums += of_tile * vectors * lanes;
      pixel += of_tile;
    }
  };
  run(narrow + 1, wide_tiles);
  run(narrow, tiles - wide_tiles);
}

void blocked_product(int vectors, int stride, int64_t pixels, const BlockedProduct& f) {
  stride == 1 ? blocked_row<1>(vectors, pixels, f) : blocked_row<2>(vectors, pixels, f);
}

int64_t blocked_tile(int vectors) { return blocked_pixels(vectors); }

template <BlockedWindowOp OP, int S, int TP>
CONVMAT_INLINE void blocked_window_tile(const BlockedWindow& f, int64_t pixel) {
  using V = Vec<float>;
  constexpr int lanes = V::lanes;
  constexpr bool is_weighted = OP == BlockedWindowOp::weighted, is_maximum = OP == BlockedWindowOp::maximum;
  const float* const x = f.x + pixel * S * lanes;
  V acc[TP];
  if constexpr (is_weighted) {
    const V bias = load(f.bias);
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) acc[p] = bias;
  } else {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) acc[p] = load(x + f.taps[0] + p * S * lanes);
  }
  for (int64_t t = is_weighted ? 0 : 1; t < f.tap_count; ++t) {
    const float* const at = x + f.taps[t];
    if constexpr (is_weighted) {
      const V weight = load(f.w + t * lanes);
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) acc[p] = fma(weight, load(at + p * S * lanes), acc[p]);
    } else if constexpr (is_maximum) {
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
        const V value = load(at + p * S * lanes);
        // What is no number is not equal to itself.
        acc[p] = if_equal(acc[p], acc[p], max(acc[p], value), acc[p]);
      }
    } else {
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) acc[p] = add(acc[p], load(at + p * S * lanes));
    }
  }
  float* const y = f.y + pixel * lanes;
  if constexpr (is_weighted) {
    const V lo = broadcast(f.lo), hi = broadcast(f.hi);
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) store(y + p * lanes, min(hi, max(lo, acc[p])));
  } else if constexpr (is_maximum) {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) store(y + p * lanes, acc[p]);
  } else {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
      store(y + p * lanes, div(acc[p], broadcast(f.divisors[pixel + p])));
    }
  }
}

template <BlockedWindowOp OP, int S, int TP = blocked_pixels(1)>
CONVMAT_NOINLINE void blocked_window_row(const BlockedWindow& f, int64_t pixel, int64_t end) {
  for (; pixel + TP <= end; pixel += TP) blocked_window_tile<OP, S, TP>(f, pixel);
  if constexpr (TP > 1) blocked_window_row<OP, S, TP / 2>(f, pixel, end);
}

template <BlockedWindowOp OP>
void blocked_window_of(int stride, int64_t pixels, const BlockedWindow& f) {
  stride == 1 ? blocked_window_row<OP, 1>(f, 0, pixels) : blocked_window_row<OP, 2>(f, 0, pixels);
}

void blocked_window(BlockedWindowOp op, int stride, int64_t pixels, const BlockedWindow& f) {
  switch (op) {
    case BlockedWindowOp::weighted:
      return blocked_window_of<BlockedWindowOp::weighted>(stride, pixels, f);
    case BlockedWindowOp::maximum:
      return blocked_window_of<BlockedWindowOp::maximum>(stride, pixels, f);
    case BlockedWindowOp::mean:
      return blocked_window_of<BlockedWindowOp::mean>(stride, pixels, f);
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
