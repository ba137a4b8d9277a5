// Winograd's minimal filtering, y = A'[(G w G') o (B' x B)]A per tile (Lavin & Gray 2016, "Fast algorithms
// for convolutional neural networks"); G is in table/winograd_points.h.
//
// With p the product of (t - point) over the finite points, a row of B' holds the coefficients of p over (t -
// point), the last one those of p itself; column j of A' holds the powers of point j.
#pragma once

#include "kernels/transpose-inl.h"
#include "table/winograd.h"
#include "table/winograd_points.h"

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

// g[M + 2] <-- G w: of points +-p one sum and one difference.
template <int M>
CONVMAT_INLINE void winograd_weight_line(const Vec<double> (&w)[3], Vec<double> (&g)[M + 2]) {
  constexpr WinogradWeightRows rows = winograd_weight_rows(M);
  g[0] = mul(broadcast(rows.g[0][0]), w[0]);
  CONVMAT_UNROLL for (int j = 1; j < M; j += 2) {
    const Vec<double> even = fma(broadcast(rows.g[j][2]), w[2], mul(broadcast(rows.g[j][0]), w[0]));
    g[j] = fma(broadcast(rows.g[j][1]), w[1], even);
    g[j + 1] = fnma(broadcast(rows.g[j][1]), w[1], even);
  }
  g[M + 1] = w[2];
}

// u[point][lane] <-- taps[tap][lane], `tap` apart. Lines of points stay a loop: the stores take as long.
template <typename T, int M>
CONVMAT_NOINLINE void winograd_weight_points(const T* taps, int64_t tap, T* u, int64_t point) {
  using D = Vec<double>;
  constexpr int n = M + 2;
  for (int lane = 0; lane < Vec<T>::lanes; lane += D::lanes) {
    D columns[3][n];
    CONVMAT_UNROLL for (int c = 0; c < 3; ++c) {
      D w[3];
      CONVMAT_UNROLL for (int r = 0; r < 3; ++r) w[r] = load_widened(taps + (r * 3 + c) * tap + lane);
      winograd_weight_line<M>(w, columns[c]);
    }
    T* to = u + lane;
    for (int i = 0; i < n; ++i) {
      const D w[3] = {columns[0][i], columns[1][i], columns[2][i]};
      D g[n];
      winograd_weight_line<M>(w, g);
      CONVMAT_UNROLL for (int j = 0; j < n; ++j) {
        store_narrowed(to, g[j]);
        to += point;
      }
    }
  }
}

// Input channels whose weights are laid on the lanes at a time.
constexpr int64_t kWinogradWeightBlock = 16;
// And how many ahead they are asked for, where their kernels lie apart.
constexpr int64_t kWinogradWeightsAhead = 2;

template <typename T>
void winograd_weights(int m, const WinogradWeights<T>& f) {
  constexpr int lanes = Vec<T>::lanes;
  T taps[kWinogradWeightBlock * 9 * lanes];
  for (int64_t block = 0; block < f.in_channels; block += kWinogradWeightBlock) {
    const int64_t left = f.in_channels - block;
    const int64_t channels = left < kWinogradWeightBlock ? left : kWinogradWeightBlock;
    for (int64_t first = 0; first < f.width; first += lanes) {
      const int64_t rest = f.out_channels - first, outputs = rest < lanes ? rest : lanes;
      const T* const from = f.kernels + first * f.out_stride + block * f.in_stride;
      if (f.in_stride == 9) {
        transpose_rows<T>(outputs, channels * 9, from, f.out_stride, taps, lanes);
      } else {
        for (int64_t c = 0; c < channels; ++c) {
          const T* const kernels = from + c * f.in_stride;
          // A few lines in each of as many pages: more than the hardware foresees.
          for (int64_t i = 0; i < outputs * 9; i += 64 / sizeof(T)) {
            CONVMAT_PREFETCH(kernels + kWinogradWeightsAhead * f.in_stride + i);
          }
          CONVMAT_UNROLL for (int t = 0; t < 9; t += lanes) {
            transpose_square<T, false>(static_cast<int>(outputs), 9 - t < lanes ? 9 - t : lanes, kernels + t,
                                       f.out_stride, taps + (c * 9 + t) * lanes, lanes);
          }
        }
      }
      const int64_t tap = f.is_reversed ? -lanes : lanes;
      const T* const first_tap = taps + (f.is_reversed ? 8 * lanes : 0);
      for (int64_t c = 0; c < channels; ++c) {
        T* const u = f.u + (block + c) * f.width + first;
        if (m == 2) {
          winograd_weight_points<T, 2>(first_tap + c * 9 * lanes, tap, u, f.point);
        } else {
          winograd_weight_points<T, 4>(first_tap + c * 9 * lanes, tap, u, f.point);
        }
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
      (round < wide_rounds ? wide_ukr : narrow_ukr)(v, f.v_vector, count, u, ahead, ahead_row,
                                                    f.accumulate || first > 0, to);
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
