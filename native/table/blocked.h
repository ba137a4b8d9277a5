// Kernels over images whose channels lie side by side in blocks of a vector's lanes:
// x[block][row][column][lane].
#pragma once

#include <cstdint>

namespace convmat {

// One block of input channels by one tap of a convolution.
struct BlockedTap {
  int64_t input;     // where its lanes lie from a pixel's first
  int64_t weight;    // where its weights lie from the first tap's
  int64_t channels;  // that the block has
};

// Neighbouring outputs of one row by some vectors of output channels,
//   y[vector][pixel][lane] = clamp(bias + addend + sum over taps and channels of x[..][channel]
//   w[channel][..])
// whose taps may be summed in several calls.
struct BlockedProduct {
  const float* x;  // of the first pixel
  const BlockedTap* taps;
  int64_t tap_count;
  const float* w;  // [tap][channel][vector][lane]
  float* sums;     // [pixel][vector][lane]: read but by the first call, written but by the last
  bool is_first, is_last;
  float* y;
  int64_t y_vector;     // from one vector of channels to the next
  const float* bias;    // [vector][lane]
  const float* addend;  // as y, which it may be; or null
  float lo, hi;         // -inf and +inf for none; NaN passes through
  // Weights of a later call, to be fetched meanwhile: each channel of each tile asks for one line and goes on
  // by `ahead_step` elements. Any address will do.
  const float* ahead;
  int64_t ahead_step;
};
// vectors: 1 .. kBlockedVectors; stride: 1 or 2 pixels of x from one output to the next. Outputs go in tiles
// of blocked_pixels at most: see StepKernels::blocked_tile.
constexpr int kBlockedVectors = 4;
using BlockedProductFn = void(int vectors, int stride, int64_t pixels, const BlockedProduct&);
// Pixels of the largest tile.
using BlockedTileFn = int64_t(int vectors);

// Neighbouring outputs of one row of one block, each channel by itself.
enum class BlockedWindowOp : int32_t {
  weighted,  // clamp(bias + sum over taps of w x)
  maximum,   // a NaN stays
  mean       // the sum over its divisor
};
struct BlockedWindow {
  const float* x;       // of the first output
  const int64_t* taps;  // where they lie from there
  int64_t tap_count;
  float* y;
  const float* w;     // [tap][lane]
  const float* bias;  // [lane]
  float lo, hi;
  const float* divisors;  // one per output
};
// stride: 1 or 2.
using BlockedWindowFn = void(BlockedWindowOp op, int stride, int64_t pixels, const BlockedWindow&);

}  // namespace convmat
