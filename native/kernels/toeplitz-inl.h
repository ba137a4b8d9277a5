// Kernels of the sparse Toeplitz product: columns of a row of the output on the lanes, taps that are not zero
// one after the other, sums in registers. No index is loaded per entry of the matrix: a tap's offset serves
// every entry that it makes.
//
// 8 rows or channels keep the multipliers busy as well as more would, at a fraction of the code.
#pragma once

#include "table/toeplitz.h"

namespace convmat::CONVMAT_ISA {
namespace {

// to[rows][n] <-- results[rows][vectors]: ends of rows, by one routine for all tiles.
template <typename T>
CONVMAT_NOINLINE void store_row_ends(T* to, int64_t to_row, int64_t n, int rows, int vectors,
                                     const T* results) {
  constexpr int lanes = Vec<T>::lanes;
  for (int r = 0; r < rows; ++r, to += to_row, results += vectors * lanes) {
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) store(to + i, load(results + i));
    if (i < n) store(to + i, first_lanes<T>(static_cast<int>(n - i)), load(results + i));
  }
}

// Clamps and stores ROWS rows of NV vectors, of which n columns are wanted.
template <typename T, int ROWS, int NV>
CONVMAT_INLINE void store_sums(T* y, int64_t y_row, const Vec<T> (&sums)[ROWS][NV], int64_t n, Vec<T> lo,
                               Vec<T> hi) {
  constexpr int lanes = Vec<T>::lanes;
  alignas(64) T results[ROWS * NV * lanes];
  const bool whole = n >= NV * lanes;
  T* to = whole ? y : results;
  const int64_t to_row = whole ? y_row : NV * lanes;
  CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) store(to + v * lanes, min(hi, max(lo, sums[r][v])));
    to += to_row;
  }
  if (!whole) store_row_ends<T>(y, y_row, n, ROWS, NV, results);
}

// Scattered taps of M channels in ROWS rows: weights [tap][channel]. Several channels share the input that
// they load; one channel in several rows has enough sums to hide the latency of an addition.
template <typename T, int M, int ROWS, int NV>
CONVMAT_NOINLINE void toeplitz_scattered(const ToeplitzTile<T>& tile) {
  static_assert(M == 1 || ROWS == 1);
  using V = Vec<T>;
  const V lo = broadcast(tile.lo), hi = broadcast(tile.hi);
  for (int64_t column = 0; column < tile.n; column += NV * V::lanes) {
    V sums[M * ROWS][NV];
    CONVMAT_UNROLL for (int m = 0; m < M; ++m) {
      const V start = tile.bias == nullptr ? zero<T>() : broadcast(tile.bias[m]);
      CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) {
        CONVMAT_UNROLL for (int v = 0; v < NV; ++v) sums[m * ROWS + r][v] = start;
      }
    }
    const T* weight = tile.weights;
    for (int64_t s = 0; s < tile.steps; ++s, weight += M) {
      const T* x = tile.x + tile.offsets[tile.taps[s]] + column;
      CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) {
        V input[NV];
        CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
          input[v] = load(x + v * V::lanes);
          if constexpr (M > 1) input[v] = keep(input[v]);
        }
        CONVMAT_UNROLL for (int m = 0; m < M; ++m) {
          const V factor = broadcast(weight[m]);
          V(&sum)[NV] = sums[m * ROWS + r];
          CONVMAT_UNROLL for (int v = 0; v < NV; ++v) sum[v] = fma(factor, input[v], sum[v]);
        }
        x += tile.x_row;
      }
    }
    store_sums<T, M * ROWS, NV>(tile.y + column, M > 1 ? tile.y_channel : tile.y_row, sums, tile.n - column,
                                lo, hi);
  }
}

// One row of the input meets the rows FIRST <= r < LAST of the output, through the taps latest[-r].
template <typename T, int FIRST, int LAST, int ROWS, int NV>
CONVMAT_INLINE void add_input_row(const T* x, const T* latest, Vec<T> (&sums)[ROWS][NV]) {
  using V = Vec<T>;
  if constexpr (LAST - FIRST <= NV) {
    V factors[ROWS];
    CONVMAT_UNROLL for (int r = FIRST; r < LAST; ++r) factors[r] = broadcast(latest[-r]);
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
      const V input = keep(load(x + v * V::lanes));
      CONVMAT_UNROLL for (int r = FIRST; r < LAST; ++r) sums[r][v] = fma(factors[r], input, sums[r][v]);
    }
  } else {
    V input[NV];
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) input[v] = keep(load(x + v * V::lanes));
    CONVMAT_UNROLL for (int r = FIRST; r < LAST; ++r) {
      const V factor = broadcast(latest[-r]);
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) sums[r][v] = fma(factor, input[v], sums[r][v]);
    }
  }
}

// The first ROWS - 1 rows of the input have no taps yet for the last rows of the output.
template <typename T, int I, int ROWS, int NV>
CONVMAT_INLINE void add_first_rows(const T*& x, int64_t x_row, const T* weight, Vec<T> (&sums)[ROWS][NV]) {
  if constexpr (I < ROWS - 1) {
    add_input_row<T, 0, I + 1>(x, forget(weight + I), sums);
    x += x_row;
    add_first_rows<T, I + 1>(x, x_row, weight, sums);
  }
}

// The last ROWS - 1 have none left for the first ones.
template <typename T, int I, int ROWS, int NV>
CONVMAT_INLINE void add_last_rows(const T*& x, int64_t x_row, const T* end, Vec<T> (&sums)[ROWS][NV]) {
  if constexpr (I < ROWS - 1) {
    add_input_row<T, I + 1, ROWS>(x, forget(end + I), sums);
    x += x_row;
    add_last_rows<T, I + 1>(x, x_row, end, sums);
  }
}

// Whole columns of taps, one channel in ROWS rows, ROWS <= tile.height: weights [column][height]. Every row
// of the input is loaded once per column of taps and serves up to ROWS rows of the output: input row i meets
// output row r through tap i - r.
template <typename T, int ROWS, int NV>
CONVMAT_NOINLINE void toeplitz_columns(const ToeplitzTile<T>& tile) {
  using V = Vec<T>;
  const V start = tile.bias == nullptr ? zero<T>() : broadcast(tile.bias[0]);
  const V lo = broadcast(tile.lo), hi = broadcast(tile.hi);
  const int64_t height = tile.height, x_row = tile.x_row;
  for (int64_t column = 0; column < tile.n; column += NV * V::lanes) {
    V sums[ROWS][NV];
    CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) {
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) sums[r][v] = start;
    }
    const T* weight = tile.weights;
    for (int64_t s = 0; s < tile.steps; ++s, weight += height) {
      const T* x = tile.x + tile.offsets[tile.taps[s]] + column;
      add_first_rows<T, 0>(x, x_row, weight, sums);
      for (int64_t i = ROWS - 1; i < height; ++i) {
        // Unforgotten, taps of one turn are kept in registers for the next, and the sums in memory.
        add_input_row<T, 0, ROWS>(x, forget(weight + i), sums);
        x += x_row;
      }
      add_last_rows<T, 0>(x, x_row, weight + height, sums);
    }
    store_sums<T, ROWS, NV>(tile.y + column, tile.y_row, sums, tile.n - column, lo, hi);
  }
}

// A tile of one channel has this many sums, in rows by vectors.
constexpr int kToeplitzSums = 8;

constexpr int kToeplitzMr = toeplitz_count(kGemmMr), kToeplitzNv = kGemmNv;
constexpr int kToeplitzWideMr = toeplitz_count(kGemmWideMr < 4 ? kGemmWideMr : 4),
              kToeplitzWideNv = kGemmWideNv;

template <typename T, int ROWS, int NV>
void toeplitz_rows_by(int rows, const ToeplitzTile<T>& tile) {
  if (rows == ROWS) return toeplitz_scattered<T, 1, ROWS, NV>(tile);
  if constexpr (ROWS > 1) toeplitz_rows_by<T, toeplitz_count(ROWS - 1), NV>(rows, tile);
}

template <typename T, int NV = 1>
void toeplitz_rows(int rows, int vectors, const ToeplitzTile<T>& tile) {
  if (vectors == NV) return toeplitz_rows_by<T, kToeplitzSums / NV, NV>(rows, tile);
  if constexpr (NV < kToeplitzSums) toeplitz_rows<T, 2 * NV>(rows, vectors, tile);
}

template <typename T, int M = kToeplitzMr>
void toeplitz_channels(int channels, int vectors, const ToeplitzTile<T>& tile) {
  if (channels == M) {
    if (vectors == 1) return toeplitz_scattered<T, M, 1, 1>(tile);
    return toeplitz_scattered<T, M, 1, kToeplitzNv>(tile);
  }
  if constexpr (M > 1) toeplitz_channels<T, toeplitz_count(M - 1)>(channels, vectors, tile);
}

template <typename T, int ROWS, int NV>
void toeplitz_plane_by(int rows, const ToeplitzTile<T>& tile) {
  if (rows == ROWS) return toeplitz_columns<T, ROWS, NV>(tile);
  if constexpr (ROWS > 1) toeplitz_plane_by<T, toeplitz_count(ROWS - 1), NV>(rows, tile);
}

template <typename T>
void toeplitz_plane(int rows, int vectors, const ToeplitzTile<T>& tile) {
  if (vectors > kToeplitzNv) return toeplitz_plane_by<T, kToeplitzWideMr, kToeplitzWideNv>(rows, tile);
  if (vectors == 1) return toeplitz_plane_by<T, kToeplitzMr, 1>(rows, tile);
  toeplitz_plane_by<T, kToeplitzMr, kToeplitzNv>(rows, tile);
}

template <typename T>
constexpr ToeplitzBlocking toeplitz_blocking = {Vec<T>::lanes, kToeplitzSums,   kToeplitzMr,
                                                kToeplitzNv,   kToeplitzWideMr, kToeplitzWideNv};

}  // namespace
}  // namespace convmat::CONVMAT_ISA
