// Winograd's minimal filtering, y = A'[(G w G') o (B' x B)]A per tile (Lavin & Gray 2016, "Fast algorithms
// for convolutional neural networks"); G is in core/winograd_points.h.
//
// With p the product of (t - point) over the finite points, a row of B' holds the coefficients of p over (t -
// point), the last one those of p itself; column j of A' holds the powers of point j.
#pragma once

#include "core/kernel_table.h"
#include "core/winograd_points.h"

namespace convmat::CONVMAT_ISA {
namespace {

template <typename T, int M>
struct Winograd;

template <typename T>
struct Winograd<T, 2> {
  using V = Vec<T>;
  static constexpr int points = 4;

  CONVMAT_INLINE static void input(const V (&d)[4], V (&t)[4]) {
    t[0] = sub(d[2], d[0]);
    t[1] = add(d[1], d[2]);
    t[2] = sub(d[2], d[1]);
    t[3] = sub(d[3], d[1]);
  }
  CONVMAT_INLINE static void output(const V (&t)[4], V (&y)[2]) {
    y[0] = add(t[0], add(t[1], t[2]));
    y[1] = add(t[3], sub(t[1], t[2]));
  }
};

template <typename T>
struct Winograd<T, 4> {
  using V = Vec<T>;
  static constexpr int points = 6;
  static constexpr double a = kWinogradNear, b = kWinogradFar;

  CONVMAT_INLINE static V times(double factor) { return broadcast(static_cast<T>(factor)); }

  CONVMAT_INLINE static void input(const V (&d)[6], V (&t)[6]) {
    const V low = times(a * a * b * b), middle = times(-(a * a + b * b));
    t[0] = fma(low, d[0], fma(middle, d[2], d[4]));
    t[5] = fma(low, d[1], fma(middle, d[3], d[5]));
    const V near_even = fma(times(-b * b), d[2], d[4]), near_odd = fma(times(-b * b), d[1], d[3]);
    t[1] = fma(times(a), near_odd, near_even);
    t[2] = fma(times(-a), near_odd, near_even);
    const V far_even = fma(times(-a * a), d[2], d[4]), far_odd = fma(times(-a * a), d[1], d[3]);
    t[3] = fma(times(b), far_odd, far_even);
    t[4] = fma(times(-b), far_odd, far_even);
  }
  CONVMAT_INLINE static void output(const V (&t)[6], V (&y)[4]) {
    const V near_even = add(t[1], t[2]), near_odd = sub(t[1], t[2]);
    const V far_even = add(t[3], t[4]), far_odd = sub(t[3], t[4]);
    y[0] = add(t[0], add(near_even, far_even));
    y[1] = fma(times(a), near_odd, mul(times(b), far_odd));
    y[2] = fma(times(a * a), near_even, mul(times(b * b), far_even));
    y[3] = fma(times(a * a * a), near_odd, fma(times(b * b * b), far_odd, t[5]));
  }
};

template <typename T, int M>
void winograd_input_tiles(const WinogradInput<T>& f) {
  using V = Vec<T>;
  constexpr int n = Winograd<T, M>::points, lanes = V::lanes;
  for (int64_t tile = 0; tile < f.tiles; ++tile) {
    const T* const from = f.rows + tile * M * lanes;
    V columns[n][n];  // [column][point of the row]
    CONVMAT_UNROLL for (int j = 0; j < n; ++j) {
      V d[n];
      CONVMAT_UNROLL for (int i = 0; i < n; ++i) d[i] = load(from + i * f.row + j * lanes);
      Winograd<T, M>::input(d, columns[j]);
    }
    T* const to = f.v + tile * lanes;
    CONVMAT_UNROLL for (int i = 0; i < n; ++i) {
      V d[n], t[n];
      CONVMAT_UNROLL for (int j = 0; j < n; ++j) d[j] = columns[j][i];
      Winograd<T, M>::input(d, t);
      CONVMAT_UNROLL for (int j = 0; j < n; ++j) store(to + (i * n + j) * f.point, t[j]);
    }
  }
}

template <typename T>
void winograd_input(int m, const WinogradInput<T>& f) {
  if (m == 2) {
    winograd_input_tiles<T, 2>(f);
  } else {
    winograd_input_tiles<T, 4>(f);
  }
}

template <typename T, int M>
bool winograd_output_tiles(const WinogradOutput<T>& f) {
  using V = Vec<T>;
  constexpr int n = Winograd<T, M>::points, lanes = V::lanes;
  const V bias = load(f.bias), lo = broadcast(f.lo), hi = broadcast(f.hi);
  V zeros = zero<T>();  // times any number that is finite
  for (int64_t tile = 0; tile < f.tiles; ++tile) {
    const T* const from = f.products + tile * f.tile;
    V columns[n][M];  // [point of the row][row]
    CONVMAT_UNROLL for (int j = 0; j < n; ++j) {
      V t[n];
      CONVMAT_UNROLL for (int i = 0; i < n; ++i) t[i] = load(from + (i * n + j) * f.point);
      Winograd<T, M>::output(t, columns[j]);
    }
    T* const to = f.rows + tile * M * lanes;
    CONVMAT_UNROLL for (int i = 0; i < M; ++i) {
      V t[n], y[M];
      CONVMAT_UNROLL for (int j = 0; j < n; ++j) t[j] = columns[j][i];
      Winograd<T, M>::output(t, y);
      CONVMAT_UNROLL for (int j = 0; j < M; ++j) {
        zeros = fma(y[j], zero<T>(), zeros);
        store(to + i * f.row + j * lanes, min(hi, max(lo, add(y[j], bias))));
      }
    }
  }
  return sum(zeros) == 0;
}

template <typename T>
bool winograd_output(int m, const WinogradOutput<T>& f) {
  return m == 2 ? winograd_output_tiles<T, 2>(f) : winograd_output_tiles<T, 4>(f);
}

// The small products stay loops: the stores take as long as they.
template <typename T>
void winograd_weights(int m, const WinogradWeights<T>& f) {
  static constexpr WinogradWeightRows rows2 = winograd_weight_rows(2), rows4 = winograd_weight_rows(4);
  using D = Vec<double>;
  constexpr int lanes = Vec<T>::lanes;
  const double(*const g)[3] = m == 2 ? rows2.g : rows4.g;
  const int n = m + 2;
  const int64_t tap = f.is_reversed ? -f.width : f.width;
  const auto row = [g](int i, D a, D b, D c) {
    return fma(broadcast(g[i][0]), a, fma(broadcast(g[i][1]), b, mul(broadcast(g[i][2]), c)));
  };
  for (int64_t channel = 0; channel < f.channels; ++channel) {
    for (int64_t first = 0; first < f.width; first += lanes) {
      // Conversions are plain loops, which compilers turn into vectors.
      const T* const from = f.taps + (channel * 9 + (f.is_reversed ? 8 : 0)) * f.width + first;
      double kernels[9][lanes], points[36][lanes];
      for (int k = 0; k < 9; ++k) {
        for (int lane = 0; lane < lanes; ++lane) kernels[k][lane] = from[k * tap + lane];
      }
      for (int lane = 0; lane < lanes; lane += D::lanes) {
        D d[9];
        CONVMAT_UNROLL for (int k = 0; k < 9; ++k) d[k] = load(kernels[k] + lane);
        for (int i = 0; i < n; ++i) {
          const D left = row(i, d[0], d[3], d[6]), middle = row(i, d[1], d[4], d[7]),
                  right = row(i, d[2], d[5], d[8]);
          for (int j = 0; j < n; ++j) store(points[i * n + j] + lane, row(j, left, middle, right));
        }
      }
      T* to = f.u + channel * f.width + first;
      for (int point = 0; point < n * n; ++point, to += f.point) {
        for (int lane = 0; lane < lanes; ++lane) to[lane] = static_cast<T>(points[point][lane]);
      }
    }
  }
}

// NV vectors of output channels by TP tiles, for one block of input channels. As in direct_ukr, every index
// into `acc` must be a constant. Each row of weights asks for `ahead_row` elements of what comes next.
template <typename T, int NV, int TP>
CONVMAT_NOINLINE void winograd_ukr(const T* v, int64_t v_vector, int64_t channel_vectors, const T* u,
                                   const T* ahead, int64_t ahead_row, bool accumulate, T* to) {
  using V = Vec<T>;
  constexpr int lanes = V::lanes, line = 64 / sizeof(T);
  V acc[TP][NV];
  CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
    CONVMAT_UNROLL for (int i = 0; i < NV; ++i) acc[p][i] = zero<T>();
  }
  for (; channel_vectors > 0; --channel_vectors) {
    for (int lane = 0; lane < lanes; ++lane) {
      CONVMAT_UNROLL for (int i = 0; i < NV * lanes; i += line) CONVMAT_PREFETCH(ahead + i);
      ahead += ahead_row;
      V weights[NV];
      CONVMAT_UNROLL for (int i = 0; i < NV; ++i) weights[i] = load(u + i * lanes);
      CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
        const V value = broadcast(v[p * lanes + lane]);
        CONVMAT_UNROLL for (int i = 0; i < NV; ++i) acc[p][i] = fma(weights[i], value, acc[p][i]);
      }
      u += NV * lanes;
    }
    v += v_vector;
  }
  if (accumulate) {
    CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
      CONVMAT_UNROLL for (int i = 0; i < NV; ++i) {
        acc[p][i] = add(acc[p][i], load(to + (p * NV + i) * lanes));
      }
    }
  }
  CONVMAT_UNROLL for (int p = 0; p < TP; ++p) {
    CONVMAT_UNROLL for (int i = 0; i < NV; ++i) store(to + (p * NV + i) * lanes, acc[p][i]);
  }
}

template <typename T>
using WinogradUkr = void(const T* v, int64_t v_vector, int64_t channel_vectors, const T* u, const T* ahead,
                         int64_t ahead_row, bool accumulate, T* to);

template <typename T, int NV = kWinogradVectors, int TP = direct_blocking<T>.max_pixels(NV)>
WinogradUkr<T>* winograd_ukr_of(int vectors, int64_t tiles) {
  if constexpr (NV > 1) {
    // One vector has no use for more tiles than two have: the blocks are made for two.
    if (vectors < NV) return winograd_ukr_of<T, NV - 1, TP>(vectors, tiles);
  }
  if constexpr (TP > 1) {
    if (tiles < TP) return winograd_ukr_of<T, NV, TP - 1>(NV, tiles);
  }
  return winograd_ukr<T, NV, TP>;
}

// A block of weights serves all rounds of tiles while it is in L1, and they fetch the next block meanwhile:
// evenly, since a core that waits for L3 in one round and multiplies in the next does neither in time.
template <typename T>
void winograd_product(int vectors, int64_t tiles, const WinogradProduct<T>& f) {
  constexpr int lanes = Vec<T>::lanes, block = kWinogradBlock / lanes;
  const int64_t most = direct_blocking<T>.max_pixels(kWinogradVectors);
  const int64_t rounds = (tiles + most - 1) / most, narrow = tiles / rounds, wide_rounds = tiles % rounds;
  WinogradUkr<T>* const narrow_ukr = winograd_ukr_of<T>(vectors, narrow);
  WinogradUkr<T>* const wide_ukr = wide_rounds > 0 ? winograd_ukr_of<T>(vectors, narrow + 1) : narrow_ukr;
  const int64_t width = int64_t{vectors} * lanes, ahead_row = width / rounds;
  for (int64_t first = 0; first < f.channel_vectors; first += block) {
    const int64_t left = f.channel_vectors - first, count = left < block ? left : block;
    const T* const u = f.u + first * lanes * width;
    const T* ahead = left > block ? u + count * lanes * width : f.next_u;
    const T* v = f.v + first * f.v_vector;
    T* to = f.products;
    for (int64_t round = 0; round < rounds; ++round) {
      const int64_t of_round = round < wide_rounds ? narrow + 1 : narrow;
      (round < wide_rounds ? wide_ukr : narrow_ukr)(v, f.v_vector, count, u, ahead, ahead_row, first > 0, to);
      v += of_round * lanes;
      to += of_round * width;
      ahead += count * lanes * ahead_row;
    }
  }
}

template <typename T>
void unlane_rows(int channels, int64_t pixels, const T* from, T* to, int64_t to_channel) {
  constexpr int lanes = Vec<T>::lanes;
  for (int64_t pixel = 0; pixel < pixels; pixel += lanes) {
    const int count = pixels - pixel < lanes ? static_cast<int>(pixels - pixel) : lanes;
    Vec<T> square[lanes];
    CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
      square[i] = i < count ? load(from + (pixel + i) * lanes) : zero<T>();
    }
    transpose(square);
    T* const target = to + pixel;
    if (count == lanes) {
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        if (i < channels) store(target + i * to_channel, square[i]);
      }
    } else {
      const Mask<T> mask = first_lanes<T>(count);
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        if (i < channels) store(target + i * to_channel, mask, square[i]);
      }
    }
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
