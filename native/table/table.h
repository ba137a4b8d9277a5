// The seam between algorithms and instruction sets: what a kernel takes, and the table that each isa/*.cc
// fills.
#pragma once

#include <cstdint>

namespace convmat {

// One tile of a matrix product, C[m][n] = A[m][k] B[k][n] (+ C) (+ bias), clamped. Strides are in elements.
template <typename T>
struct GemmTile {
  int64_t k;
  const T* a;  // packed for the tile's rows: [k][m]
  const T* b;  // rows of n elements, `ldb` apart: a packed panel, or the rows of a matrix in place
  int64_t ldb;
  T* c;
  int64_t ldc;
  int64_t n;        // 1 .. the table's widest tile for m rows; nothing is read or written beyond column n
  bool accumulate;  // add to what C holds
  const T* bias;    // one per row, added before clamping; or null
  T lo, hi;         // -inf and +inf for none; NaN passes through
};

// rows: m, 1 .. mr.
template <typename T>
using GemmTileFn = void(int rows, const GemmTile<T>& tile);

// One tile of an integer product, C[m][n] = A[m][k] B[k][n] (+ C) modulo 2^32, of int16 values in pairs along
// k, an even k in the low half of an int32 and the next in the high half: exact for every mix of int8 and
// uint8.
struct PairGemmTile {
  int64_t pairs;     // of k
  const int32_t* a;  // packed for the tile's rows: [pairs][m]
  const int32_t* b;  // packed: [pairs][ldb], whole vectors of columns
  int64_t ldb;
  int32_t* c;
  int64_t ldc;
  int64_t n;  // as GemmTile, of f32's tile
  bool accumulate;
};
using PairGemmTileFn = void(int rows, const PairGemmTile& tile);

// A stretch of one row of a packed panel of im2col: `count` columns from `column` on. Column i holds
// image[offset + i * step] where bit i of `valid` is set, and 0 elsewhere.
struct PanelSegment {
  int32_t column, count;
  int64_t offset;
  uint64_t valid;
};
constexpr int kMaxPanelColumns = 64;  // bits of `valid`

// panel[channel][tap][columns] <-- image. The taps' segments do not depend on the channel.
template <typename T>
struct Im2colPanel {
  const T* image;  // of the first channel
  int64_t channels, channel_stride;
  int64_t taps;
  const int32_t* tap_begin;  // [taps + 1]: where each tap's segments begin; they ascend and cover the columns
  const PanelSegment* segments;
  int64_t step;  // distance in the image between neighbouring columns
  T* panel;  // rows `ld` apart; up to a vector's length beyond a row's end is overwritten, the last row's too
  int64_t ld;
};
template <typename T>
using Im2colPanelFn = void(const Im2colPanel<T>& panel);

// to[c][r] <-- from[r][c]. Up to a vector's length beyond the end of each of to's rows is overwritten, the
// last's too.
template <typename T>
using TransposeFn = void(int64_t rows, int64_t columns, const T* from, int64_t ld_from, T* to, int64_t ld_to);
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

// A row of outputs of a fixed-point convolution: integers of T, which the caller has bounded so that nothing
// overflows.
//   rounded(p) = floor((p + base + (p < 0 ? negative : 0) + (floor(p / 2^shift) odd ? odd : 0)) / 2^shift)
//   limited(q) = q clamped to [low, high], or wrapped into it: span is high - low
//   out[j] <-- every step: s = limited(s + limited(rounded(image * kernel))) tap by tap; else
//   limited(rounded(sum))
template <typename T>
struct FixedRow {
  const T* image;                 // what the first output's first tap reads
  int64_t image_pitch, tap_step;  // from one row, and one column, of taps to the next
  const T* kernel;                // flipped already: [kernel_rows][kernel_columns]
  int64_t kernel_rows, kernel_columns;
  T* out;
  int64_t count;
  bool every_step, wrap;
  int32_t shift;  // 0 or more; 2 or more where T has 16 bits
  T base, negative, odd;
  T low, high, span;
};
template <typename T>
using FixedRowFn = void(const FixedRow<T>& row);

// Sizes that the blocked driver needs, measured together with the kernel: a tile is `mr` rows by `nr`
// columns, or at most `wide_mr` rows by `wide_nr` columns, which serves few rows better.
struct GemmBlocking {
  int32_t mr, nr;
  int32_t wide_mr, wide_nr;
  int32_t kc;        // rows of B per block: long ones read C back less often, short ones sum more accurately
  int32_t b_bytes;   // of B's panels that A passes by at a time: they stay in L2
  int32_t c_bytes;   // of C that one pass over a block of k updates: stays in L2 beside A's and B's panels
  float fma_per_ns;  // of one core, about: to tell work that is worth sharing out
};

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

// Gradients of some weights from rows of outputs, by some vectors of output channels:
//   sums[vector][places[weight]][lane] += sum over rows and columns of x[weight][row * x_row + column] dy[..]
// The gradient of the output lies [row][column][lane of all vectors], columns dy_pixel apart.
template <typename T>
struct WeightGradTile {
  const T* const* x;  // what each weight's first output reads
  int64_t x_row;
  const T* dy;
  int64_t dy_pixel;
  int64_t rows, columns;
  int64_t weights;
  const int64_t* places;  // of each weight
  T* sums;
  int64_t sums_vector;  // from one vector to the next
};
// vectors: 1 .. the direct blocking's
template <typename T>
using WeightGradFn = void(int vectors, const WeightGradTile<T>& tile);

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
// as int32, or as a byte: round(y * multipliers[channel]) + zero_point, saturated to uint8, ^ flip.
struct IntegerFinish {
  const int32_t* sums;
  int32_t pixels, vectors;
  int64_t channels;  // how many of the vectors' lanes are stored
  const int32_t* offsets;
  const int32_t* weight_zeros;
  const int32_t* input_sums;  // null for none
  const double* multipliers;  // null for int32 results
  int32_t zero_point, flip;   // the flip is one byte four times
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
  bool scaled;
  double multiplier;
  int32_t zero_point, flip;
  void* y;
};
using IntegerRowFn = void(const IntegerRow&);

// What a row of a frame holds of one phase: `before` zeros, `count` elements of the image's row from `first`
// on, `after` zeros.
struct FramePhase {
  int64_t first, before, count, after;
};

// Copies rows into a frame, one plane after the other, and of each row its phases, whose elements lie `step`
// apart in the image. Up to a vector more is overwritten behind each phase, before the next is written.
template <typename T>
struct FrameRows {
  const T* from;
  int64_t from_plane, from_row, step;
  T* to;
  int64_t to_plane, to_row, to_phase;
  int64_t planes, rows;
  const FramePhase* phases;
  int64_t phase_count;
};
template <typename T>
using FrameRowsFn = void(const FrameRows<T>&);

// A tile of a sparse Toeplitz product: n columns of some rows of the output, of one channel or of several in
// one row,
//   y[channel][row][column] = clamp(bias[channel] +
//       sum over steps of x[offsets[taps[step]] + row * x_row + column] * weights[step][channel]).
// Rows of x can be read up to a whole number of vectors. In `plane`, a step is a column of `height` taps, the
// first of which is named, the others x_row apart each, and its weights are [step][height].
template <typename T>
struct ToeplitzTile {
  const T* x;
  int64_t x_row;
  const int64_t* offsets;
  const int32_t* taps;
  const T* weights;
  int64_t steps, height;
  T* y;
  int64_t y_row, y_channel;
  int64_t n;
  const T* bias;  // one per channel, or null
  T lo, hi;       // -inf and +inf for none; NaN passes through
};

// How many rows, or channels, the tiles of sparse Toeplitz products have: the most up to n.
constexpr int32_t toeplitz_count(int64_t n) {
  return n >= 8 ? 8 : n >= 6 ? 6 : n >= 4 ? 4 : static_cast<int32_t>(n);
}

// `vectors` of sums at a time until n columns are done: 1, 2, 4 … up to `sums`; rows: a count up to sums /
// vectors.
template <typename T>
using ToeplitzRowsFn = void(int rows, int vectors, const ToeplitzTile<T>& tile);
// channels: a count up to mr; vectors: 1 or nv; one row.
template <typename T>
using ToeplitzChannelsFn = void(int channels, int vectors, const ToeplitzTile<T>& tile);
// rows: a count up to mr for 1 or nv vectors, up to wide_mr for wide_nv of them, and never more than
// `height`.
template <typename T>
using ToeplitzPlaneFn = void(int rows, int vectors, const ToeplitzTile<T>& tile);

struct ToeplitzBlocking {
  int32_t lanes, sums;
  int32_t mr, nv;
  int32_t wide_mr, wide_nv;
};

// Rows of some planes' convolutions, each with its own 3 x 3 or 5 x 5 kernel, stride 1 or 2, and zeros around
// it.
template <typename T>
struct DepthwisePlanes {
  const T* x;  // [plane][in_rows][in_columns]
  int64_t in_rows, in_columns;
  int64_t pad_top, pad_left;
  const T* w;     // [plane][kernel][kernel]
  const T* bias;  // [plane]
  T lo, hi;
  T* y;  // [plane][out_rows][out_columns]
  int64_t out_rows, out_columns;
  int64_t first_row, rows;
  int64_t planes;
};
template <typename T>
using DepthwisePlanesFn = void(int kernel, int stride, const DepthwisePlanes<T>&);

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

// Some rows of a matrix in compressed sparse rows: row i holds data[p] in column indices[p] for
// indptr[i] <= p < indptr[i + 1].
template <typename T>
struct CsrRows {
  int64_t count;
  const int32_t* indptr;
  const int32_t* indices;
  const T* data;
};

// y[rows] = rows * x
template <typename T>
using CsrMatvecFn = void(const CsrRows<T>& rows, const T* x, T* y);
// x += transposed rows * y[rows]
template <typename T>
using CsrRmatvecFn = void(const CsrRows<T>& rows, const T* y, T* x);
// y[rows][columns] = rows * x[][columns]
template <typename T>
using CsrMatmatFn = void(const CsrRows<T>& rows, const T* x, int64_t columns, T* y);
// Whether all of some columns lie from 0 to cols - 1.
using CsrWithinFn = bool(const int32_t* indices, int64_t count, int32_t cols);

// All kernels of one instruction set. The fields after the blockings are the lines of kernels.inc.
struct KernelTable {
  const char* name;
  GemmBlocking f32_blocking, f64_blocking;
  DirectBlocking f32_direct_blocking, f64_direct_blocking;
  ToeplitzBlocking f32_toeplitz_blocking, f64_toeplitz_blocking;
  DirectBlocking integer_blocking;
  bool signed_quads;  // quads of the input are int8, not uint8
#define CONVMAT_KERNEL(field, function, type) type* field;
#include "table/kernels.inc"
#undef CONVMAT_KERNEL
};

}  // namespace convmat
