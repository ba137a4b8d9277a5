// Products of 8-bit integers, and of bfloat16, on a unit of matrix tiles: registers of 16 lines of 64 bytes,
// of which one instruction multiplies two and sums into a third. A thread configures the unit before the
// products of a job and releases it after them.
//
// Of the two operands one consists of pixels, the other of weights (output channels). Either may be the
// product's rows, whose lines hold 64 consecutive bytes of the sum; the columns' lines hold 4 bytes for each
// of 16 columns, so that 16 lines hold the same 64.
#pragma once

#include <cstdint>

namespace convmat {

// Rows and columns of a tile of sums, and bytes of its operands' sums that one step covers.
constexpr int64_t kTileLanes = 16;
constexpr int64_t kTileDepth = 64;
constexpr int64_t kTileBytes = kTileLanes * kTileDepth;
// Tiles of one call: its sums stay in L1.
constexpr int kMaxPixelTiles = 4, kMaxWeightTiles = 2;
constexpr int64_t kMaxTilePixels = kMaxPixelTiles * kTileLanes;
constexpr int64_t kMaxTileChannels = kMaxWeightTiles * kTileLanes;

struct TileForm {
  bool pixels_are_rows, signed_pixels, signed_weights;
};

// pixels_are_rows: sums[pixel][sums_row: channel], else sums[channel][sums_row: pixel]
//   = sum over steps and bytes of pixels . weights, modulo 2^32; of bfloat16, the bits of floats
struct TileProduct {
  const uint8_t* pixels;       // lines of 64 bytes, aligned
  const int64_t* pixel_steps;  // bytes from `pixels` to each step's first tile
  int64_t next_pixels;         // bytes from one tile of pixels to the next
  const uint8_t* weights;      // [step][tile][16 lines]
  int64_t steps;
  int32_t* sums;
  int64_t sums_row;
};
using TileProductFn = void(const TileForm&, int pixel_tiles, int weight_tiles, const TileProduct&);

// Neighbouring pixels of a call that are neighbours in the result, too.
struct TileRun {
  int32_t first, count;
  int64_t to;  // elements from `y` to the first
};

// What becomes of the sums of one call, as IntegerFinish has it, of channels of a stride `y_channel`.
struct TileFinish {
  bool pixels_are_rows;
  const int32_t* sums;
  int64_t sums_row;
  int64_t pixels, channels;
  const int32_t* offsets;       // per channel, with a vector behind them; as are the next
  const int32_t* weight_zeros;  // null for none
  const int32_t* input_sums;    // per pixel, or null with the zeros
  const double* multipliers;    // null for int32 results, and where there are the next
  const float* float_multipliers;
  int32_t zero_point, flip;
  void* y;
  int64_t y_channel;
  const TileRun* runs;
  int64_t run_count;
};
using TileFinishFn = void(const TileFinish&);

// The columns' form of pixels: to[tile][group of 4 planes][pixel] <-- from[plane][pixel], zeros beyond both.
struct TileColumns {
  const uint8_t* from;
  int64_t from_plane, planes, pixels;
  int64_t groups;  // of planes, a multiple of 16
  uint8_t* to;
};
using TileColumnsFn = void(const TileColumns&);

// The rows' form of pixels: line lines[pixel] of `to` <-- from[plane][pixel] for up to 64 planes, zeros
// beyond; a pixel whose line is -1 is left out.
struct TileLines {
  const uint8_t* from;
  int64_t from_plane, planes, pixels;
  const int32_t* lines;
  uint8_t* to;
};
using TileLinesFn = void(const TileLines&);

// The same of bfloat16, which are made of floats as runtime/bfloat16.h has it; sums are floats. The unit
// rounds products and sums as float does, but takes what is below the least normal number for zero.
constexpr int64_t kTileBf16 = kTileDepth / 2;
using Bf16ProductFn = void(bool pixels_are_rows, int pixel_tiles, int weight_tiles, const TileProduct&);

// y <-- sums + bias, clamped, of the channels and runs of TileFinish.
struct Bf16Finish {
  bool pixels_are_rows;
  const float* sums;
  int64_t sums_row;
  int64_t pixels, channels;
  const float* bias;  // per channel, with a vector behind them
  float lo, hi;
  float* y;
  int64_t y_channel;
  const TileRun* runs;
  int64_t run_count;
};
using Bf16FinishFn = void(const Bf16Finish&);

// As TileColumns, of groups of 2 planes.
struct Bf16Columns {
  const float* from;
  int64_t from_plane, planes, pixels;
  int64_t groups;  // of planes, a multiple of 16
  uint8_t* to;
};
using Bf16ColumnsFn = void(const Bf16Columns&);

// As TileLines, of up to 32 planes.
struct Bf16Lines {
  const float* from;
  int64_t from_plane, planes, pixels;
  const int32_t* lines;
  uint8_t* to;
};
using Bf16LinesFn = void(const Bf16Lines&);

struct Bf16TileKernels {
  Bf16ProductFn* product;
  Bf16FinishFn* finish;
  Bf16ColumnsFn* columns;
  Bf16LinesFn* lines;
};

struct TileKernels {
  bool need_permission;  // of the system: runtime/tile_unit.h
  void (*configure)();
  void (*release)();
  TileProductFn* product;
  TileFinishFn* finish;
  TileColumnsFn* columns;
  TileLinesFn* lines;
  Bf16TileKernels bf16;
};

}  // namespace convmat
