// Convolution and products of 8-bit integers, and of bfloat16, on tiles. `Tiles` is the unit's instructions,
// or a model of them.
#pragma once

#include "kernels/scale-inl.h"
#include "table/tiles.h"

namespace convmat::CONVMAT_ISA {
namespace {

// What tiles hold: bytes, or pairs of bfloat16.
template <bool signed_pixels, bool signed_weights>
struct ByteTiles {
  template <class Tiles, bool pixels_are_rows, int SUM, int P, int W>
  static CONVMAT_INLINE void dot() {
    if constexpr (pixels_are_rows) {
      Tiles::template dot<SUM, P, W, signed_pixels, signed_weights>();
    } else {
      Tiles::template dot<SUM, W, P, signed_weights, signed_pixels>();
    }
  }
};
struct Bf16Tiles {
  template <class Tiles, bool pixels_are_rows, int SUM, int P, int W>
  static CONVMAT_INLINE void dot() {
    Tiles::template dot_bf16<SUM, pixels_are_rows ? P : W, pixels_are_rows ? W : P>();
  }
};

// Sums of NP by NW tiles are registers 0 to 3; 4 and 5 are tiles of pixels, 6 and 7 of weights.
template <class Tiles, class Numbers, bool pixels_are_rows, int NP, int NW>
CONVMAT_NOINLINE void tile_block(const TileProduct& f, const uint8_t* pixels, int32_t* sums) {
  Tiles::template zero<0>();
  if constexpr (NW > 1) Tiles::template zero<1>();
  if constexpr (NP > 1) Tiles::template zero<2>();
  if constexpr (NP > 1 && NW > 1) Tiles::template zero<3>();
  const uint8_t* weights = f.weights;
  const int64_t next = f.next_pixels;
  for (int64_t step = 0; step < f.steps; ++step) {
    const uint8_t* const from = pixels + f.pixel_steps[step];
    Tiles::template load<4>(from, kTileDepth);
    Tiles::template load<6>(weights, kTileDepth);
    Numbers::template dot<Tiles, pixels_are_rows, 0, 4, 6>();
    if constexpr (NW > 1) {
      Tiles::template load<7>(weights + kTileBytes, kTileDepth);
      Numbers::template dot<Tiles, pixels_are_rows, 1, 4, 7>();
    }
    if constexpr (NP > 1) {
      Tiles::template load<5>(from + next, kTileDepth);
      Numbers::template dot<Tiles, pixels_are_rows, 2, 5, 6>();
      if constexpr (NW > 1) Numbers::template dot<Tiles, pixels_are_rows, 3, 5, 7>();
    }
    weights += NW * kTileBytes;
  }
  const int64_t row_bytes = f.sums_row * static_cast<int64_t>(sizeof(int32_t));
  const int64_t next_row = kTileLanes * f.sums_row;
  const int64_t to_pixels = pixels_are_rows ? next_row : kTileLanes;
  const int64_t to_weights = pixels_are_rows ? kTileLanes : next_row;
  Tiles::template store<0>(sums, row_bytes);
  if constexpr (NW > 1) Tiles::template store<1>(sums + to_weights, row_bytes);
  if constexpr (NP > 1) Tiles::template store<2>(sums + to_pixels, row_bytes);
  if constexpr (NP > 1 && NW > 1) Tiles::template store<3>(sums + to_pixels + to_weights, row_bytes);
}

template <class Tiles, class Numbers, bool pixels_are_rows>
void tile_blocks(int pixel_tiles, int weight_tiles, const TileProduct& f) {
  const int64_t pair = 2 * kTileLanes * (pixels_are_rows ? f.sums_row : 1);
  const uint8_t* pixels = f.pixels;
  int32_t* sums = f.sums;
  for (; pixel_tiles >= 2; pixel_tiles -= 2) {
    if (weight_tiles > 1) {
      tile_block<Tiles, Numbers, pixels_are_rows, 2, 2>(f, pixels, sums);
    } else {
      tile_block<Tiles, Numbers, pixels_are_rows, 2, 1>(f, pixels, sums);
    }
    pixels += 2 * f.next_pixels;
    sums += pair;
  }
  if (pixel_tiles == 0) return;
  if (weight_tiles > 1) {
    tile_block<Tiles, Numbers, pixels_are_rows, 1, 2>(f, pixels, sums);
  } else {
    tile_block<Tiles, Numbers, pixels_are_rows, 1, 1>(f, pixels, sums);
  }
}

template <class Tiles>
void tile_product(const TileForm& form, int pixel_tiles, int weight_tiles, const TileProduct& f) {
  using Blocks = void(int, int, const TileProduct&);
  static constexpr Blocks* forms[2][2][2] = {
      {{tile_blocks<Tiles, ByteTiles<false, false>, false>,
        tile_blocks<Tiles, ByteTiles<false, true>, false>},
       {tile_blocks<Tiles, ByteTiles<true, false>, false>, tile_blocks<Tiles, ByteTiles<true, true>, false>}},
      {{tile_blocks<Tiles, ByteTiles<false, false>, true>, tile_blocks<Tiles, ByteTiles<false, true>, true>},
       {tile_blocks<Tiles, ByteTiles<true, false>, true>, tile_blocks<Tiles, ByteTiles<true, true>, true>}}};
  forms[form.pixels_are_rows][form.signed_pixels][form.signed_weights](pixel_tiles, weight_tiles, f);
}

// Those of `runs` that lie within `width` pixels from `begin` on: body(first from begin, count, to).
template <class Finish, class Body>
CONVMAT_INLINE void each_run(const Finish& f, int64_t begin, int64_t width, const Body& body) {
  for (int64_t r = 0; r < f.run_count; ++r) {
    const TileRun& run = f.runs[r];
    const int64_t from = run.first > begin ? run.first : begin;
    const int64_t run_end = int64_t{run.first} + run.count;
    const int64_t end = run_end < begin + width ? run_end : begin + width;
    if (from < end) body(from - begin, end - from, run.to + from - run.first);
  }
}

// Channels on the lanes: what vector v of pixel p's sums is, after zero points.
CONVMAT_INLINE Vec<int32_t> pixel_row(const TileFinish& f, int64_t pixel, int64_t channel,
                                      Vec<int32_t> offset) {
  const Vec<int32_t> sums = add(load(f.sums + pixel * f.sums_row + channel), offset);
  if (f.weight_zeros == nullptr) return sums;
  return sub(sums, mul(load(f.weight_zeros + channel), broadcast(f.input_sums[pixel])));
}

template <typename M>
CONVMAT_NOINLINE void finish_pixel_rows(const TileFinish& f, const M* multipliers) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes, width = 4 * lanes;
  const V flip = broadcast(f.flip);
  for (int64_t channel = 0; channel < f.channels; channel += lanes) {
    const int64_t channels = f.channels - channel < lanes ? f.channels - channel : lanes;
    const V offset = load(f.offsets + channel);
    for (int64_t begin = 0; begin < f.pixels; begin += width) {
      V rows[lanes];
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        V four[4];
        CONVMAT_UNROLL for (int k = 0; k < 4; ++k) four[k] = pixel_row(f, begin + 4 * i + k, channel, offset);
        rows[i] = bits_xor(scale_to_bytes(four, multipliers + channel, f.zero_point), flip);
      }
      transpose(rows);
      uint8_t* const y = static_cast<uint8_t*>(f.y) + channel * f.y_channel;
      each_run(f, begin, width, [&](int64_t first, int64_t count, int64_t to) {
        for (int64_t c = 0; c < channels; ++c) {
          store_bytes(y + c * f.y_channel + to, rows[c], static_cast<int>(first), static_cast<int>(count));
        }
      });
    }
  }
}

CONVMAT_NOINLINE void finish_pixel_rows_as_words(const TileFinish& f) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes;
  for (int64_t channel = 0; channel < f.channels; channel += lanes) {
    const int64_t channels = f.channels - channel < lanes ? f.channels - channel : lanes;
    const V offset = load(f.offsets + channel);
    for (int64_t begin = 0; begin < f.pixels; begin += lanes) {
      V rows[lanes];
      for (int i = 0; i < lanes; ++i) rows[i] = pixel_row(f, begin + i, channel, offset);
      transpose(rows);
      alignas(64) int32_t square[lanes * lanes];
      for (int i = 0; i < lanes; ++i) store(square + i * lanes, rows[i]);
      int32_t* const y = static_cast<int32_t*>(f.y) + channel * f.y_channel;
      each_run(f, begin, lanes, [&](int64_t first, int64_t count, int64_t to) {
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t i = 0; i < count; ++i) y[c * f.y_channel + to + i] = square[c * lanes + first + i];
        }
      });
    }
  }
}

// With the multipliers of all channels; null for results of int32.
template <typename M>
CONVMAT_NOINLINE void finish_channel_row(const TileFinish& f, const M* of_channels, int64_t c) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes, width = 4 * lanes;
  const V flip = broadcast(f.flip);
  const V offset = broadcast(f.offsets[c]);
  const V weight_zero = broadcast(f.weight_zeros == nullptr ? 0 : f.weight_zeros[c]);
  const int32_t* const sums = f.sums + c * f.sums_row;
  M multipliers[lanes];
  if (of_channels != nullptr) {
    for (int i = 0; i < lanes; ++i) multipliers[i] = of_channels[c];
  }
  for (int64_t begin = 0; begin < f.pixels; begin += width) {
    V four[4];
    CONVMAT_UNROLL for (int k = 0; k < 4; ++k) {
      four[k] = add(load(sums + begin + k * lanes), offset);
      if (f.weight_zeros != nullptr) {
        four[k] = sub(four[k], mul(weight_zero, load(f.input_sums + begin + k * lanes)));
      }
    }
    if (of_channels != nullptr) {
      const V words = bits_xor(scale_to_bytes(four, multipliers, f.zero_point), flip);
      uint8_t* const y = static_cast<uint8_t*>(f.y) + c * f.y_channel;
      each_run(f, begin, width, [&](int64_t first, int64_t count, int64_t to) {
        if (count == width) return store_split(y + to, words);
        alignas(64) uint8_t bytes[width];
        store_split(bytes, words);
        for (int64_t i = 0; i < count; ++i) y[to + i] = bytes[first + i];
      });
    } else {
      alignas(64) int32_t line[width];
      CONVMAT_UNROLL for (int k = 0; k < 4; ++k) store(line + k * lanes, four[k]);
      int32_t* const y = static_cast<int32_t*>(f.y) + c * f.y_channel;
      each_run(f, begin, width, [&](int64_t first, int64_t count, int64_t to) {
        for (int64_t i = 0; i < count; ++i) y[to + i] = line[first + i];
      });
    }
  }
}

// Rows of whole vectors that are scaled and nothing else. Those that are left to double come after the
// others, so that no call is in the way of what registers hold.
template <typename M>
CONVMAT_NOINLINE void finish_whole_channel_rows(const TileFinish& f, const M* of_channels) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes;
  const V flip = broadcast(f.flip);
  const int32_t* sums = f.sums;
  uint8_t* y = static_cast<uint8_t*>(f.y) + f.runs[0].to;
  static_assert(kMaxTileChannels <= 32, "a bit for each");
  uint32_t unsure = 0;
  for (int64_t c = 0; c < f.channels; ++c) {
    const V offset = broadcast(f.offsets[c]);
    M multipliers[lanes];
    for (int i = 0; i < lanes; ++i) multipliers[i] = of_channels[c];
    V four[4];
    CONVMAT_UNROLL for (int k = 0; k < 4; ++k) four[k] = add(load(sums + k * lanes), offset);
    bool sure;
    store_split(y, bits_xor(guess_bytes(four, multipliers, f.zero_point, &sure), flip));
    unsure |= (sure ? 0u : 1u) << c;
    sums += f.sums_row;
    y += f.y_channel;
  }
  for (int64_t c = 0; unsure != 0; ++c, unsure >>= 1) {
    if ((unsure & 1) != 0) finish_channel_row(f, of_channels, c);
  }
}

template <typename M>
void finish_channel_rows(const TileFinish& f, const M* multipliers) {
  constexpr int64_t width = 4 * Vec<int32_t>::lanes;
  if (multipliers != nullptr && f.weight_zeros == nullptr && f.run_count == 1 && f.pixels == width &&
      f.runs[0].count == width) {
    return finish_whole_channel_rows(f, multipliers);
  }
  for (int64_t c = 0; c < f.channels; ++c) finish_channel_row(f, multipliers, c);
}

void tile_finish(const TileFinish& f) {
  if (f.float_multipliers != nullptr) {
    return f.pixels_are_rows ? finish_pixel_rows(f, f.float_multipliers)
                             : finish_channel_rows(f, f.float_multipliers);
  }
  if (!f.pixels_are_rows) return finish_channel_rows(f, f.multipliers);
  if (f.multipliers == nullptr) return finish_pixel_rows_as_words(f);
  finish_pixel_rows(f, f.multipliers);
}

// Words of 4 planes from `plane` on, of `count` pixels: a vector or fewer.
CONVMAT_INLINE Vec<int32_t> words_of(const uint8_t* from, int64_t from_plane, int64_t planes, int count) {
  using V = Vec<int32_t>;
  V bytes[4];
  CONVMAT_UNROLL for (int k = 0; k < 4; ++k) {
    bytes[k] = k >= planes         ? zero<int32_t>()
               : count == V::lanes ? load_bytes(from + k * from_plane)
                                   : load_bytes(from + k * from_plane, count);
  }
  return join_bytes(bytes[0], bytes[1], bytes[2], bytes[3]);
}

void tile_columns(const TileColumns& f) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes;
  const int64_t used = (f.planes + 3) / 4;
  int32_t* to = reinterpret_cast<int32_t*>(f.to);
  for (int64_t pixel = 0; pixel < f.pixels; pixel += kTileLanes) {
    for (int64_t g = 0; g < f.groups; ++g, to += kTileLanes) {
      const uint8_t* const from = f.from + 4 * g * f.from_plane + pixel;
      for (int64_t part = 0; part < kTileLanes; part += lanes) {
        const int64_t left = f.pixels - pixel - part;
        const int count = left >= lanes ? lanes : left > 0 ? static_cast<int>(left) : 0;
        const bool some = g < used && count > 0;
        store(to + part,
              some ? words_of(from + part, f.from_plane, f.planes - 4 * g, count) : zero<int32_t>());
      }
    }
  }
}

void tile_lines(const TileLines& f) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes;
  constexpr int64_t line_words = kTileDepth / 4;
  for (int64_t pixel = 0; pixel < f.pixels; pixel += lanes) {
    const int count = static_cast<int>(f.pixels - pixel < lanes ? f.pixels - pixel : lanes);
    for (int64_t part = 0; part < line_words; part += lanes) {
      V rows[lanes];
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        const int64_t plane = 4 * (part + i);
        rows[i] = plane < f.planes
                      ? words_of(f.from + plane * f.from_plane + pixel, f.from_plane, f.planes - plane, count)
                      : zero<int32_t>();
      }
      transpose(rows);
      for (int i = 0; i < count; ++i) {
        const int32_t line = f.lines[pixel + i];
        if (line >= 0) store(reinterpret_cast<int32_t*>(f.to) + line * line_words + part, rows[i]);
      }
    }
  }
}

template <class Tiles>
void bf16_tile_product(bool pixels_are_rows, int pixel_tiles, int weight_tiles, const TileProduct& f) {
  if (pixels_are_rows) {
    tile_blocks<Tiles, Bf16Tiles, true>(pixel_tiles, weight_tiles, f);
  } else {
    tile_blocks<Tiles, Bf16Tiles, false>(pixel_tiles, weight_tiles, f);
  }
}

// y <-- lanes [first, first + count).
CONVMAT_INLINE void store_run(float* y, Vec<float> values, int64_t first, int64_t count) {
  if (count == Vec<float>::lanes) return store(y, values);
  store(y - first, mask_of<float>(((1u << count) - 1) << first), values);
}

CONVMAT_INLINE Vec<float> finished(Vec<float> sums, Vec<float> bias, Vec<float> lo, Vec<float> hi) {
  // NaN passes through: the sum is the second operand.
  return min(hi, max(lo, add(sums, bias)));
}

CONVMAT_NOINLINE void bf16_finish_pixel_rows(const Bf16Finish& f) {
  using V = Vec<float>;
  constexpr int lanes = V::lanes;
  const V lo = broadcast(f.lo), hi = broadcast(f.hi);
  for (int64_t channel = 0; channel < f.channels; channel += lanes) {
    const int64_t channels = f.channels - channel < lanes ? f.channels - channel : lanes;
    const V bias = load(f.bias + channel);
    for (int64_t begin = 0; begin < f.pixels; begin += lanes) {
      V rows[lanes];
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        rows[i] = finished(load(f.sums + (begin + i) * f.sums_row + channel), bias, lo, hi);
      }
      transpose(rows);
      float* const y = f.y + channel * f.y_channel;
      each_run(f, begin, lanes, [&](int64_t first, int64_t count, int64_t to) {
        for (int64_t c = 0; c < channels; ++c) store_run(y + c * f.y_channel + to, rows[c], first, count);
      });
    }
  }
}

CONVMAT_NOINLINE void bf16_finish_channel_rows(const Bf16Finish& f) {
  using V = Vec<float>;
  constexpr int lanes = V::lanes;
  const V lo = broadcast(f.lo), hi = broadcast(f.hi);
  for (int64_t c = 0; c < f.channels; ++c) {
    const V bias = broadcast(f.bias[c]);
    const float* const sums = f.sums + c * f.sums_row;
    float* const y = f.y + c * f.y_channel;
    for (int64_t begin = 0; begin < f.pixels; begin += lanes) {
      const V values = finished(load(sums + begin), bias, lo, hi);
      each_run(f, begin, lanes,
               [&](int64_t first, int64_t count, int64_t to) { store_run(y + to, values, first, count); });
    }
  }
}

void bf16_finish(const Bf16Finish& f) {
  if (f.pixels_are_rows) {
    bf16_finish_pixel_rows(f);
  } else {
    bf16_finish_channel_rows(f);
  }
}

// to[pixel] <-- two planes' pixels from `plane` on, a tile's lanes or fewer; zeros beyond.
template <class Tiles>
CONVMAT_INLINE void bf16_words(const float* from, int64_t from_plane, int64_t planes, int count,
                               int32_t* to) {
  if (planes > 1) {
    Tiles::pair_bf16(from, from + from_plane, count, to);
  } else {
    Tiles::pair_bf16(from, nullptr, planes > 0 ? count : 0, to);
  }
}

template <class Tiles>
void bf16_columns(const Bf16Columns& f) {
  // Tiles side by side, as long as a plane's lines of the caches are neighbours.
  constexpr int64_t kTogether = 4 * kTileLanes;
  const int64_t tile_words = f.groups * kTileLanes;
  int32_t* to = reinterpret_cast<int32_t*>(f.to);
  for (int64_t first = 0; first < f.pixels; first += kTogether, to += 4 * tile_words) {
    const int64_t end = first + kTogether < f.pixels ? first + kTogether : f.pixels;
    for (int64_t g = 0; g < f.groups; ++g) {
      const float* const from = f.from + 2 * g * f.from_plane;
      int32_t* tile = to + g * kTileLanes;
      for (int64_t pixel = first; pixel < end; pixel += kTileLanes, tile += tile_words) {
        const int count = static_cast<int>(end - pixel < kTileLanes ? end - pixel : kTileLanes);
        bf16_words<Tiles>(from + pixel, f.from_plane, f.planes - 2 * g, count, tile);
      }
    }
  }
}

template <class Tiles>
void bf16_lines(const Bf16Lines& f) {
  using V = Vec<int32_t>;
  constexpr int lanes = V::lanes;
  constexpr int64_t line_words = kTileDepth / 4;
  for (int64_t pixel = 0; pixel < f.pixels; pixel += kTileLanes) {
    const int count = static_cast<int>(f.pixels - pixel < kTileLanes ? f.pixels - pixel : kTileLanes);
    alignas(64) int32_t words[line_words][kTileLanes];
    for (int64_t w = 0; w < line_words; ++w)
      bf16_words<Tiles>(f.from + 2 * w * f.from_plane + pixel, f.from_plane, f.planes - 2 * w, count,
                        words[w]);
    for (int part = 0; part < count; part += lanes) {
      for (int64_t w = 0; w < line_words; w += lanes) {
        V rows[lanes];
        CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) rows[i] = load(words[w + i] + part);
        transpose(rows);
        for (int i = 0; i < lanes && part + i < count; ++i) {
          const int32_t line = f.lines[pixel + part + i];
          if (line >= 0) store(reinterpret_cast<int32_t*>(f.to) + line * line_words + w, rows[i]);
        }
      }
    }
  }
}

template <class Tiles>
constexpr TileKernels tile_kernels() {
  return {Tiles::need_permission,
          [] { Tiles::configure(); },
          [] { Tiles::release(); },
          tile_product<Tiles>,
          tile_finish,
          tile_columns,
          tile_lines,
          {bf16_tile_product<Tiles>, bf16_finish, bf16_columns<Tiles>, bf16_lines<Tiles>}};
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
