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

// Sizes that the blocked driver needs, measured together with the kernel: a tile is `mr` rows by `nr`
// columns, or at most `wide_mr` rows by `wide_nr` columns, which serves few rows better.
struct GemmBlocking {
  int32_t mr, nr;
  int32_t wide_mr, wide_nr;
  int32_t kc;        // rows of B per block: mr * kc of A and kc * nr of B stay in L1 or near it
  int32_t c_bytes;   // of C that one pass over a block of k updates: stays in L2 beside A's and B's panels
  float fma_per_ns;  // of one core, about: to tell work that is worth sharing out
};

// All kernels of one instruction set. The fields after `f64_blocking` are the lines of kernels.inc.
struct KernelTable {
  const char* name;
  GemmBlocking f32_blocking, f64_blocking;
#define CONVMAT_KERNEL(field, function, type) type* field;
#include "kernels/kernels.inc"
#undef CONVMAT_KERNEL
};

}  // namespace convmat
