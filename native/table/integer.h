// Convolution of 8-bit integers.
#pragma once

#include <cstdint>

#include "table/direct.h"

namespace convmat {

// Words of an integer convolution: to[i] <-- the factors rows[k][i], of two rows or four, in one int32.
//   pairs: int16 of (byte ^ flip) - zero_point, bytes read as uint8
//   quads: bytes ^ flip, which is one byte four times
// Up to a vector behind the last word is overwritten.
struct IntegerLine {
  const uint8_t* rows[4];
  int64_t count;
  int32_t flip, zero_point;
  int32_t* to;
};
using IntegerLineFn = void(const IntegerLine&);

// A tile of an integer convolution, as DirectTile, of words: each tap sums the products of a word's factors.
//   sums[pixel][lane] = sum over taps of x[tap.input + pixel] . w[tap.weight + lane], modulo 2^32
struct IntegerTile {
  const int32_t* x;
  const int32_t* w;
  const DirectTap* taps;
  int64_t blocks, block_taps, last_block_taps;
  int64_t x_block, w_block;  // from one block to the next
  int32_t* sums;
};
using IntegerTileFn = void(int vectors, int pixels, const IntegerTile& tile);
constexpr int kMaxIntegerPixels = 16;  // of any ISA's tile

// What becomes of a tile's sums:
//   y[channel][pixel] = sums[pixel][channel] + offsets[channel] - weight_zeros[channel] * input_sums[pixel]
// as int32, or as a byte: round(y * multipliers[channel]) + zero_point, saturated to uint8, ^ flip. The
// product is one in double; or of floats, to which y is rounded before it.
struct IntegerFinish {
  const int32_t* sums;
  int32_t pixels, vectors;
  int64_t channels;  // how many of the vectors' lanes are stored
  const int32_t* offsets;
  const int32_t* weight_zeros;
  const int32_t* input_sums;  // null for none
  const double* multipliers;  // null for int32 results, and where there are the next
  const float* float_multipliers;
  int32_t zero_point, flip;  // the flip is one byte four times
  void* y;
  int64_t y_channel;
};
using IntegerFinishFn = void(const IntegerFinish&);

// A row of one plane by one kernel, pixels on the lanes, from words of pairs:
//   y[pixel] = bias + sum over taps of x[offsets[tap] + pixel] . w[tap], then as IntegerFinish
// x can be read up to four vectors beyond the last pixel.
struct IntegerRow {
  const int32_t* x;
  const int64_t* offsets;
  const int32_t* w;
  int64_t taps, count;
  int32_t bias;
  bool scaled, in_float;
  double multiplier;  // a float where the product is one of floats
  int32_t zero_point, flip;
  void* y;
};
using IntegerRowFn = void(const IntegerRow&);

}  // namespace convmat
