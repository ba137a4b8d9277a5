// Convolution of 8-bit integers, exact: several factors to an int32 word, which one instruction multiplies by
// as many weights and sums. Words are pairs of int16 or, where the CPU has a dot product of bytes, quads.
#pragma once

#include <cstring>

#include "kernels/scale-inl.h"
#include "table/integer.h"

namespace convmat::CONVMAT_ISA {
namespace {

struct PairWords {
  static constexpr int factors = 2;
  static CONVMAT_INLINE Vec<int32_t> dot(Vec<int32_t> x, Vec<int32_t> w, Vec<int32_t> c) {
    return dot_pairs(x, w, c);
  }
  // Bytes are brought to uint8 by the flip, and become differences from the zero point.
  static CONVMAT_INLINE Vec<int32_t> join(const Vec<int32_t> (&bytes)[2], const IntegerLine& line) {
    const Vec<int32_t> flip = broadcast(line.flip), zero_point = broadcast(line.zero_point);
    return pair_words(sub(bits_xor(bytes[0], flip), zero_point), sub(bits_xor(bytes[1], flip), zero_point));
  }
};

struct QuadWords {
  static constexpr int factors = 4;
  template <typename V>
  static CONVMAT_INLINE V dot(V x, V w, V c) {
    return dot_quads(x, w, c);
  }
  static CONVMAT_INLINE Vec<int32_t> join(const Vec<int32_t> (&bytes)[4], const IntegerLine& line) {
    return bits_xor(join_bytes(bytes[0], bytes[1], bytes[2], bytes[3]), broadcast(line.flip));
  }
};

template <typename Words>
void integer_line(const IntegerLine& line) {
  constexpr int lanes = Vec<int32_t>::lanes;
  Vec<int32_t> bytes[Words::factors];
  int64_t i = 0;
  for (; i + lanes <= line.count; i += lanes) {
    CONVMAT_UNROLL for (int k = 0; k < Words::factors; ++k) bytes[k] = load_bytes(line.rows[k] + i);
    store(line.to + i, Words::join(bytes, line));
  }
  if (i < line.count) {
    const int left = static_cast<int>(line.count - i);
    CONVMAT_UNROLL for (int k = 0; k < Words::factors; ++k) bytes[k] = load_bytes(line.rows[k] + i, left);
    store(line.to + i, Words::join(bytes, line));
  }
}

// Taps between a weight's prefetch and its use.
constexpr int kIntegerPrefetch = 12;

// NV vectors of channels by TP pixels, as direct_ukr.
template <typename Words, int NV, int TP>
CONVMAT_NOINLINE void integer_ukr(const IntegerTile& tile) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes, line = 16;
  V acc[TP][NV];
  CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[p][v] = zero<int32_t>();
  }
  const int32_t* x = tile.x;
  const int32_t* w = tile.w;
  for (int64_t block = tile.blocks; block > 0; --block) {
    const DirectTap* tap = tile.taps;
    for (const DirectTap* const end = tap + (block == 1 ? tile.last_block_taps : tile.block_taps); tap != end;
         ++tap) {
      const int32_t* const x_tap = x + tap->input;
      const int32_t* const w_tap = w + tap->weight;
      CONVMAT_UNROLL for (int i = 0; i < NV * lanes; i += line) {
        CONVMAT_PREFETCH(w_tap + kIntegerPrefetch * NV * lanes + i);
      }
      V weights[NV];
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) weights[v] = load(w_tap + v * lanes);
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
        const V pixel = broadcast(x_tap[p]);
        CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[p][v] = Words::dot(pixel, weights[v], acc[p][v]);
      }
    }
    x += tile.x_block;
    w += tile.w_block;
  }
  CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) store(tile.sums + (p * NV + v) * lanes, acc[p][v]);
  }
}

template <typename Words, int NV = kIntegerNv, int TP = integer_blocking.max_pixels(NV)>
void integer_tile(int vectors, int pixels, const IntegerTile& tile) {
  if constexpr (NV > 1) {
    if (vectors < NV) return integer_tile<Words, NV - 1>(vectors, pixels, tile);
  }
  if constexpr (TP > 1) {
    if (pixels < TP) return integer_tile<Words, NV, TP - 1>(NV, pixels, tile);
  }
  integer_ukr<Words, NV, TP>(tile);
}

// Null where there are no quads.
template <typename Words>
constexpr IntegerTileFn* quad_tile_or_none() {
  if constexpr (has_dot_quads) {
    return integer_tile<Words>;
  } else {
    return nullptr;
  }
}
template <typename Words>
constexpr IntegerLineFn* quad_line_or_none() {
  if constexpr (has_dot_quads) {
    return integer_line<Words>;
  } else {
    return nullptr;
  }
}
constexpr IntegerTileFn* integer_quad_tile = quad_tile_or_none<QuadWords>();
constexpr IntegerLineFn* integer_quad_line = quad_line_or_none<QuadWords>();

// to[i] <-- from[i] for n of at most 16 bytes.
CONVMAT_INLINE void copy_few(uint8_t* to, const uint8_t* from, int64_t n) {
  if (n >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + n - 8, from + n - 8, 8);
  } else if (n >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + n - 4, from + n - 4, 4);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

void integer_store_words(const IntegerFinish& f, int v, const Vec<int32_t>* sums) {
  constexpr int lanes = Vec<int32_t>::lanes;
  int32_t* y = static_cast<int32_t*>(f.y) + v * lanes * f.y_channel;
  const int64_t channels = f.channels - v * lanes < lanes ? f.channels - v * lanes : lanes;
  for (int p = 0; p < f.pixels; p += lanes) {
    const int left = f.pixels - p < lanes ? f.pixels - p : lanes;
    Vec<int32_t> rows[lanes];
    for (int i = 0; i < lanes; ++i) rows[i] = i < left ? sums[p + i] : zero<int32_t>();
    transpose(rows);
    alignas(64) int32_t square[lanes * lanes];
    for (int i = 0; i < lanes; ++i) store(square + i * lanes, rows[i]);
    for (int64_t c = 0; c < channels; ++c) {
      int32_t* const to = y + c * f.y_channel + p;
      for (int i = 0; i < left; ++i) to[i] = square[c * lanes + i];
    }
  }
}

template <typename M>
void integer_store_bytes(const IntegerFinish& f, const M* multipliers, int v, const Vec<int32_t>* sums) {
  constexpr int lanes = Vec<int32_t>::lanes;
  uint8_t* y = static_cast<uint8_t*>(f.y) + v * lanes * f.y_channel;
  const int64_t channels = f.channels - v * lanes < lanes ? f.channels - v * lanes : lanes;
  const Vec<int32_t> flip = broadcast(f.flip);
  Vec<int32_t> words[4];
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) {
    const Vec<int32_t> four[4] = {sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]};
    words[i] = bits_xor(scale_to_bytes(four, multipliers + v * lanes, f.zero_point), flip);
  }
  alignas(64) int32_t rows[lanes * 4];
  store_lanes(rows, words);
  for (int64_t c = 0; c < channels; ++c) {
    copy_few(y + c * f.y_channel, reinterpret_cast<const uint8_t*>(rows + 4 * c), f.pixels);
  }
}

// y[channel][pixel] <-- sums[pixel][channel], less what zero points added, scaled or as they are.
void integer_finish(const IntegerFinish& f) {
  constexpr int lanes = Vec<int32_t>::lanes;
  for (int v = 0; v < f.vectors; ++v) {
    const Vec<int32_t> offset = load(f.offsets + v * lanes);
    Vec<int32_t> sums[kMaxIntegerPixels];
    const int32_t* from = f.sums + v * lanes;
    CONVMAT_UNROLL for (int p = 0; p < kMaxIntegerPixels; ++p) {
      sums[p] = add(load(from), offset);
      from += p + 1 < f.pixels ? f.vectors * lanes : 0;
    }
    if (f.input_sums != nullptr) {
      const Vec<int32_t> weight_zero = load(f.weight_zeros + v * lanes);
      for (int p = 0; p < f.pixels; ++p) {
        sums[p] = sub(sums[p], mul(weight_zero, broadcast(f.input_sums[p])));
      }
    }
    if (f.multipliers != nullptr) {
      integer_store_bytes(f, f.multipliers, v, sums);
    } else if (f.float_multipliers != nullptr) {
      integer_store_bytes(f, f.float_multipliers, v, sums);
    } else {
      integer_store_words(f, v, sums);
    }
  }
}

constexpr int kIntegerRowNv = 4;

// NV vectors of pixels from `at` on.
template <int NV, typename M>
CONVMAT_INLINE void integer_row_part(const IntegerRow& row, int64_t at, const M* multipliers) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes;
  V acc[NV];
  CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[v] = broadcast(row.bias);
  const int32_t* const x = row.x + at;
  for (int64_t t = 0; t < row.taps; ++t) {
    const int32_t* const x_tap = x + row.offsets[t];
    const V weight = broadcast(row.w[t]);
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[v] = dot_pairs(load(x_tap + v * lanes), weight, acc[v]);
  }
  const int64_t left = row.count - at;
  if (row.scaled) {
    const Vec<int32_t> four[4] = {acc[0], acc[NV > 1 ? 1 : 0], acc[NV > 2 ? 2 : 0], acc[NV > 3 ? 3 : 0]};
    const V words = bits_xor(scale_to_bytes(four, multipliers, row.zero_point), broadcast(row.flip));
    uint8_t* const to = static_cast<uint8_t*>(row.y) + at;
    if (left >= 4 * lanes) {
      store_split(to, words);
    } else {
      alignas(64) uint8_t bytes[4 * lanes];
      store_split(bytes, words);
      for (int64_t i = 0; i < left; ++i) to[i] = bytes[i];
    }
  } else {
    int32_t* const to = static_cast<int32_t*>(row.y) + at;
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
      const int64_t here = left - v * lanes;
      if (here >= lanes) {
        store(to + v * lanes, acc[v]);
      } else if (here > 0) {
        store(to + v * lanes, first_lanes<int32_t>(static_cast<int>(here)), acc[v]);
      }
    }
  }
}

template <typename M>
CONVMAT_INLINE void integer_row_by(const IntegerRow& row) {
  constexpr int lanes = Vec<int32_t>::lanes;
  M multipliers[lanes];
  for (int i = 0; i < lanes; ++i) multipliers[i] = static_cast<M>(row.multiplier);
  int64_t at = 0;
  for (; row.count - at > lanes; at += kIntegerRowNv * lanes)
    integer_row_part<kIntegerRowNv>(row, at, multipliers);
  if (at < row.count) integer_row_part<1>(row, at, multipliers);
}

void integer_row(const IntegerRow& row) {
  if (row.in_float) return integer_row_by<float>(row);
  integer_row_by<double>(row);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
