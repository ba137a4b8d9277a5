// Winograd's transforms and products.
#pragma once

#include <cstdint>

namespace convmat {

// Winograd's minimal filtering F(m x m, 3 x 3), m = 2 or 4: a tile of (m + 2) x (m + 2) inputs is transformed
// to (m + 2)^2 points, in each of which the convolution is a product, summed over channels; see
// kernels/winograd-inl.h. Channels are on the lanes in all three steps.

// v[point][tile][lane] <-- one row of tiles, `m` columns apart, of rows[row][column][lane].
template <typename T>
struct WinogradInput {
  const T* rows;
  int64_t row;  // from one row to the next
  int64_t tiles;
  T* v;
  int64_t point;  // from one point to the next
};
template <typename T>
using WinogradInputFn = void(int m, const WinogradInput<T>&);

// u[point][channel][output channel] <-- 3 x 3 kernels of some input channels and of whole vectors of output
// channels, transformed in double; zeros for the output channels that there are not.
template <typename T>
struct WinogradWeights {
  const T* kernels;
  int64_t out_stride, in_stride;  // from an output channel's to the next's, and from an input channel's
  bool is_reversed;               // the taps are: the last comes first
  int64_t out_channels, in_channels;
  int64_t width;  // out_channels in whole vectors
  T* u;
  int64_t point;  // from one point to the next
};
template <typename T>
using WinogradWeightsFn = void(int m, const WinogradWeights<T>&);

// One point of some tiles, by some vectors of output channels:
//   products[tile][output channel] = sum over channels of v[channel / lanes][tile][channel % lanes]
//   u[channel][..]
// in blocks of kWinogradBlock channels, which are summed apart and then together.
template <typename T>
struct WinogradProduct {
  const T* v;
  int64_t v_vector;  // from one vector of channels to the next
  int64_t channel_vectors;
  const T* u;       // rows of as many vectors as the products have
  const T* next_u;  // what the next call reads, to be fetched meanwhile; any address will do
  bool accumulate;  // add to what the products hold
  T* products;
};
constexpr int kWinogradBlock = 64;
constexpr int kWinogradVectors = 2;
// vectors: 1 .. kWinogradVectors; tiles: 1 or more.
template <typename T>
using WinogradProductFn = void(int vectors, int64_t tiles, const WinogradProduct<T>&);

// rows[m rows][tile * m + column][lane] <-- products[point][tile][lane], with bias, clamped. False when a sum
// was not finite.
template <typename T>
struct WinogradOutput {
  const T* products;
  int64_t point, tile;  // from one to the next
  int64_t tiles;
  const T* bias;  // one per lane
  T lo, hi;
  T* rows;
  int64_t row;
};
template <typename T>
using WinogradOutputFn = bool(int m, const WinogradOutput<T>&);

// to[channel][pixel] <-- from[pixel][lane]; nothing else is written. channels: 1 .. lanes.
template <typename T>
using UnlaneRowsFn = void(int channels, int64_t pixels, const T* from, T* to, int64_t to_channel);

}  // namespace convmat
