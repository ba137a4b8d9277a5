// Direct convolution: output channels on the lanes.
#pragma once

#include <cstdint>

namespace convmat {

// One tap of a convolution: where its input lies from a pixel's first, and its weights from the tile's first.
struct DirectTap {
  int64_t input, weight;
};

// A run of a direct convolution: neighbouring pixels of one output row by some vectors of output channels,
//   sums[pixel][channel] = sum over taps of x[tap.input + pixel] w[tap.weight + channel]
// for one block of input channels. Blocks are summed apart and then together: errors grow with the root of a
// block, not of the whole sum.
template <typename T>
struct DirectSums {
  const T* x;
  const T* w;
  const DirectTap* taps;
  int64_t tap_count;
  bool accumulate;  // add to what the sums hold
  T* sums;
  // Weights of a later run, to be fetched meanwhile: each tap of each tile asks for one line and goes on by
  // `ahead_tap` elements. Any address will do.
  const T* ahead;
  int64_t ahead_tap;
};

// y[channel][pixel] = clamp(bias[channel] + sums[pixel][channel])
template <typename T>
struct DirectStore {
  const T* sums;
  T* y;
  int64_t y_channel;  // from one output channel to the next
  int64_t channels;   // how many of the vectors' lanes are stored
  const T* bias;      // one per lane
  T lo, hi;           // -inf and +inf for none; NaN passes through
  bool is_far;        // y is in no cache: its lines, pages apart, are asked for all at once
};

// vectors: a power of two up to the blocking's; any number of pixels. Sums are computed for tiles of
// max_pixels(vectors) at most, of nearly equal size.
template <typename T>
using DirectSumsFn = void(int vectors, int64_t pixels, const DirectSums<T>&);
// DirectStoreFn has two kinds: as above, and in blocks of a vector's channels, y[vector][pixel][lane], where
// y_channel is what lies between two vectors.
template <typename T>
using DirectStoreFn = void(int vectors, int64_t pixels, const DirectStore<T>&);

// Which tiles there are: vectors * pixels accumulators at most.
struct DirectBlocking {
  int32_t lanes, vectors, accumulators, pixels;

  constexpr int32_t max_pixels(int32_t of_vectors) const {
    const int32_t fit = accumulators / of_vectors;
    return fit < pixels ? fit : pixels;
  }
};

}  // namespace convmat
