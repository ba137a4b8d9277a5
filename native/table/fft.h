// The passes of Fourier transforms, and products of spectra.
#pragma once

#include <cstdint>

namespace convmat {

// One Stockham pass of a Fourier transform of n = done * radix * rest points, each point a row of a strip:
//   out row done * (radix * p + k) + q <-- w(p k) * sum over j of e^(-2 pi i j k / radix) row done * (p +
//   rest * j) + q
// for p < rest, q < done, with w(t) = e^(-2 pi i t / (radix * rest)). Real and imaginary parts lie apart.
template <typename T>
struct FftPass {
  int32_t radix;  // 2, 3, 4, 5, 7 or 8
  int64_t rest, done;
  int64_t columns;  // a multiple of the vector's lanes
  const T *re, *im;
  int64_t pitch;  // from row to row
  T *out_re, *out_im;
  int64_t out_pitch;
  const T* twiddles;  // w(p k), [p][k = 1 .. radix - 1][re, im]
  const T* roots;     // cos and sin of 2 pi j / radix, [j][2]; read for odd radices
  T scale;            // of the results, where rest == 1: there w is 1
};

// out[c][r] <-- in[r][c] * base[r] * lane[r][c], complex. The rows of `in` and `lane` can be read up to a
// whole vector; nothing is written beyond [columns][rows].
template <typename T>
struct FftTwist {
  int64_t rows, columns;
  const T *re, *im;
  int64_t pitch;
  const T *lane_re, *lane_im;
  int64_t lane_pitch;
  const T* base;  // [r][re, im]
  T *out_re, *out_im;
  int64_t out_pitch;
};

// Products of spectra, summed over channels, in blocks of kFftBlock<T> points whose parts lie side by side:
//   sum[block][out][tile] <-- sum over channels of x[block][channel][tile] * conj(w[block][out][channel])
// for up to kFftOuts channels of the output and any number of tiles. `sum` may be `x`, of one channel and one
// output.
template <typename T>
constexpr int64_t kFftBlock = 64 / static_cast<int64_t>(sizeof(T));
constexpr int kFftOuts = 2;
template <typename T>
struct FftProduct {
  int64_t blocks, channels, tiles;
  const T* x;  // [channel][tile][part][point]
  int64_t x_block;
  const T* w;  // [channel][out][part][point]
  int64_t w_block;
  T* sum;  // [out][tile][part][point]
  int64_t sum_block;
};

// One block of sums over terms that are read from anywhere, in the same layout:
//   sum[tile] <-- sum over terms of x[offsets[term]][tile] * conj(w[term])
template <typename T>
struct FftSum {
  int64_t terms;
  const int64_t* offsets;  // elements of x
  const T *x, *w;          // [tile][part][point], [term][part][point]
  int64_t tiles;
  T* sum;  // [tile][part][point]
};

template <typename T>
using FftSumFn = void(const FftSum<T>& sum);
template <typename T>
using FftPassFn = void(const FftPass<T>& pass);
template <typename T>
using FftProductFn = void(int outs, const FftProduct<T>& product);

// to[i] <-- from[i] * scale + bias, clamped. False when one of from[] is not finite.
template <typename T>
struct FftFinish {
  const T* from;
  T* to;
  int64_t count;
  T scale, bias, lo, hi;
};
template <typename T>
using FftFinishFn = bool(const FftFinish<T>& f);
template <typename T>
using FftTwistFn = void(const FftTwist<T>& twist);

}  // namespace convmat
