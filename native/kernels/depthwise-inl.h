// Depthwise convolution: each plane by its own 3 x 3 or 5 x 5 kernel, several planes in one call, since small
// ones take less time than a call and its masks. Pixels are on the lanes, a few rows of
// outputs stay in registers, and each input vector is loaded once for all of them, with masks for what
// padding hides: nothing is copied.
#pragma once

#include "table/depthwise.h"

namespace convmat::CONVMAT_ISA {
namespace {

// A tile is straight code of some kilobytes, and doubles are the rarer case: they make do with fewer rows,
// one vector, and one kernel for columns with and without padding.
template <typename T>
constexpr bool depthwise_is_small = sizeof(T) == 8;
template <typename T>
constexpr int depthwise_rows = depthwise_is_small<T>&& kDepthwiseRows > 2 ? 2 : kDepthwiseRows;
template <typename T>
constexpr int depthwise_nv = depthwise_is_small<T> ? 1 : kDepthwiseNv;
template <typename T>
constexpr DepthwiseBlocking depthwise_blocking = {depthwise_rows<T>, depthwise_nv<T>};

// The lanes, as bits, of tap s's input that are inside the image, for the outputs from column `first` on.
template <typename T>
CONVMAT_NOINLINE uint32_t depthwise_lanes(const DepthwisePlanes<T>& f, int stride, int s, int64_t first) {
  constexpr int lanes = Vec<T>::lanes;
  const auto clamp = [](int64_t lane) {
    return static_cast<int>(lane < 0 ? 0 : lane > lanes ? lanes : lane);
  };
  const auto below = [](int lane) { return static_cast<uint32_t>((uint64_t{1} << lane) - 1); };
  // The first outputs whose column, output * stride + s - pad_left, is not below 0, and not below the image's
  // end.
  const int begin = clamp((f.pad_left - s + stride - 1) / stride - first);
  const int64_t image_end = (f.in_columns + f.pad_left - s + stride - 1) / stride;
  const int end = clamp((image_end < f.out_columns ? image_end : f.out_columns) - first);
  return below(end) & ~below(begin);
}

// Which lanes of tap s's input are inside the image, for NV vectors of outputs from column j on.
template <typename T, int K, int S, int NV>
struct DepthwiseMasks {
  Mask<T> of[NV][K];
  bool all;        // nothing is masked
  int64_t offset;  // of the first output's first tap in a row

  DepthwiseMasks(const DepthwisePlanes<T>& f, int64_t j) : all(true), offset(j * S - f.pad_left) {
    constexpr int lanes = Vec<T>::lanes;
    bool any = false;
    for (int v = 0; v < NV; ++v) {
      for (int s = 0; s < K; ++s) {
        const uint32_t inside = depthwise_lanes(f, S, s, j + v * lanes);
        of[v][s] = mask_of<T>(inside);
        all = all && inside == (uint32_t{1} << lanes) - 1;
        any = any || inside != 0;
      }
    }
    // Whole vectors may be read where only some lanes count, and so nowhere far from the image.
    if (!any) offset = 0;
  }
};

// What the taps of a row read, loaded for each of them.
template <typename T, int K, int S, int NV, bool MASKED>
struct DepthwiseLoads {
  static constexpr int vectors = NV;
  const DepthwiseMasks<T, K, S, NV>& masks;

  struct Row {
    const DepthwiseMasks<T, K, S, NV>& masks;
    const T* first;

    CONVMAT_INLINE Vec<T> tap(int s, int v) const {
      const T* const from = first + s + v * Vec<T>::lanes * S;
      if constexpr (S == 2) {
        return load_even(from, MASKED ? masks.of[v][s] : first_lanes<T>(Vec<T>::lanes));
      } else if constexpr (MASKED) {
        return load(from, masks.of[v][s]);
      } else {
        return load(from);
      }
    }
  };
  CONVMAT_INLINE int64_t offset() const { return masks.offset; }
  CONVMAT_INLINE Row row(const T* first) const { return {masks, first}; }
};

// The same of rows that two vectors hold: they are loaded once, and each tap picks its lanes, where every
// second element would take each tap two loads with masks of their own.
template <typename T, int K, int S>
struct DepthwisePicks {
  static constexpr int vectors = 1;
  Vec<int32_t> index[K];
  Mask<T> inside[K];
  Mask<T> low, high;  // the columns that a row has

  explicit DepthwisePicks(const DepthwisePlanes<T>& f) {
    constexpr int lanes = Vec<T>::lanes;
    for (int s = 0; s < K; ++s) {
      int32_t columns[lanes];
      for (int lane = 0; lane < lanes; ++lane)
        columns[lane] = lane * S + s - static_cast<int32_t>(f.pad_left);
      index[s] = load(columns);
      inside[s] = mask_of<T>(depthwise_lanes(f, S, s, 0));
    }
    const int columns = static_cast<int>(f.in_columns);
    low = first_lanes<T>(columns < lanes ? columns : lanes);
    high = first_lanes<T>(columns < lanes ? 0 : columns - lanes);
  }

  struct Row {
    const DepthwisePicks& picks;
    Vec<T> low, high;

    CONVMAT_INLINE Vec<T> tap(int s, int) const { return pick(low, high, picks.index[s], picks.inside[s]); }
  };
  CONVMAT_INLINE int64_t offset() const { return 0; }
  CONVMAT_INLINE Row row(const T* first) const {
    return {*this, load(first, low), load(first + Vec<T>::lanes, high)};
  }
};

// The operands of one plane.
template <typename T>
struct DepthwisePlane {
  const T* x;
  const T* w;
  T bias;
  T* y;
};

// RY rows, SR apart in the image, by some vectors of outputs from (i, j) on.
template <typename T, int K, int SR, int RY, class Rows>
CONVMAT_INLINE void depthwise_tile(const DepthwisePlanes<T>& f, const DepthwisePlane<T>& plane,
                                   const Rows& rows, int64_t i, int64_t j) {
  using V = Vec<T>;
  constexpr int lanes = V::lanes, NV = Rows::vectors;
  V acc[RY][NV];
  CONVMAT_UNROLL for (int y = 0; y < RY; ++y) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[y][v] = broadcast(plane.bias);
  }
  const int64_t first_row = i * SR - f.pad_top;
  const T* const x = plane.x + first_row * f.in_columns + rows.offset();
  CONVMAT_UNROLL_TAPS for (int r = 0; r < (RY - 1) * SR + K; ++r) {
    const int64_t row = first_row + r;
    if (row < 0 || row >= f.in_rows) continue;
    const auto line = rows.row(x + r * f.in_columns);
    CONVMAT_UNROLL_TAPS for (int s = 0; s < K; ++s) {
      V taps[NV];
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) taps[v] = line.tap(s, v);
      CONVMAT_UNROLL for (int y = 0; y < RY; ++y) {
        const int tap_row = r - y * SR;
        if (tap_row < 0 || tap_row >= K) continue;
        const V weight = broadcast(plane.w[tap_row * K + s]);
        CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[y][v] = fma(weight, taps[v], acc[y][v]);
      }
    }
  }
  const V lo = broadcast(f.lo), hi = broadcast(f.hi);
  CONVMAT_UNROLL for (int y = 0; y < RY; ++y) {
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
      const V result = min(hi, max(lo, acc[y][v]));
      T* const to = plane.y + (i + y) * f.out_columns + j + v * lanes;
      const int64_t left = f.out_columns - j - v * lanes;
      if (left >= lanes) {
        store(to, result);
      } else {
        store(to, first_lanes<T>(static_cast<int>(left)), result);
      }
    }
  }
}

// A strip of some vectors down all rows, of one plane after the other. The last rows are computed twice where
// their number is no multiple of a tile's: the same sums, in the same order.
template <typename T, int K, int SR, class Rows>
CONVMAT_NOINLINE void depthwise_strip(const DepthwisePlanes<T>& f, const Rows& rows, int64_t j) {
  constexpr int height = depthwise_rows<T>;
  const int64_t end = f.first_row + f.rows;
  DepthwisePlane<T> plane = {f.x, f.w, 0, f.y};
  for (int64_t p = 0; p < f.planes; ++p) {
    plane.bias = f.bias[p];
    int64_t i = f.first_row;
    if (f.rows < height) {
      for (; i < end; ++i) depthwise_tile<T, K, SR, 1>(f, plane, rows, i, j);
    } else {
      for (; i < end; i += height) {
        const int64_t first = i + height <= end ? i : end - height;
        depthwise_tile<T, K, SR, height>(f, plane, rows, first, j);
      }
    }
    plane.x += f.in_rows * f.in_columns;
    plane.w += K * K;
    plane.y += f.out_rows * f.out_columns;
  }
}

// NV vectors of outputs from column j on. Where masks cost, what needs some goes a vector at a time, and the
// rest without: 7 rows of two masked vectors would be 17 KB of code on NEON.
template <typename T, int K, int SR, int S, int NV>
void depthwise_vectors(const DepthwisePlanes<T>& f, int64_t j) {
  const DepthwiseMasks<T, K, S, NV> masks(f, j);
  if constexpr (!free_masks && !depthwise_is_small<T>) {
    if (masks.all) return depthwise_strip<T, K, SR>(f, DepthwiseLoads<T, K, S, NV, false>{masks}, j);
  }
  if constexpr (free_masks || NV == 1) {
    depthwise_strip<T, K, SR>(f, DepthwiseLoads<T, K, S, NV, true>{masks}, j);
  } else {
    for (int v = 0; v < NV; ++v) depthwise_vectors<T, K, SR, S, 1>(f, j + v * Vec<T>::lanes);
  }
}

template <typename T, int K, int SR, int S, int NV = depthwise_nv<T>>
void depthwise_columns(const DepthwisePlanes<T>& f, int64_t j) {
  for (; f.out_columns - j > (NV - 1) * Vec<T>::lanes; j += NV * Vec<T>::lanes) {
    depthwise_vectors<T, K, SR, S, NV>(f, j);
  }
  if constexpr (NV > 1) {
    if (j < f.out_columns) depthwise_columns<T, K, SR, S, NV - 1>(f, j);
  }
}

template <typename T, int K, int SR>
void depthwise_every_second(const DepthwisePlanes<T>& f) {
  if constexpr (has_pick && sizeof(T) == 4) {
    if (f.in_columns <= 2 * Vec<T>::lanes && f.out_columns <= Vec<T>::lanes) {
      return depthwise_strip<T, K, SR>(f, DepthwisePicks<T, K, 2>(f), 0);
    }
  }
  // What is loaded serves fewer outputs than without a stride, and a second vector saves little.
  depthwise_columns<T, K, SR, 2, 1>(f, 0);
}

template <typename T, int K>
void depthwise_kernel(int down, int across, const DepthwisePlanes<T>& f) {
  if (down == 1)
    return across == 1 ? depthwise_columns<T, K, 1, 1>(f, 0) : depthwise_every_second<T, K, 1>(f);
  across == 1 ? depthwise_columns<T, K, 2, 1>(f, 0) : depthwise_every_second<T, K, 2>(f);
}

template <typename T>
void depthwise_planes(int kernel, int down, int across, const DepthwisePlanes<T>& f) {
  kernel == 3 ? depthwise_kernel<T, 3>(down, across, f) : depthwise_kernel<T, 5>(down, across, f);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
