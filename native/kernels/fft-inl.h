// Fourier transforms down the columns of a strip: Stockham passes with a column per lane, and the step
// between the two halves of a long transform, which multiplies by twiddles and transposes.
#pragma once

#include "table/fft.h"

namespace convmat::CONVMAT_ISA {
namespace {

template <typename T>
struct Complex {
  Vec<T> re, im;
};

template <typename T>
CONVMAT_INLINE Complex<T> add(Complex<T> a, Complex<T> b) {
  return {add(a.re, b.re), add(a.im, b.im)};
}
template <typename T>
CONVMAT_INLINE Complex<T> sub(Complex<T> a, Complex<T> b) {
  return {sub(a.re, b.re), sub(a.im, b.im)};
}
// a - i b, a + i b.
template <typename T>
CONVMAT_INLINE Complex<T> sub_turned(Complex<T> a, Complex<T> b) {
  return {add(a.re, b.im), sub(a.im, b.re)};
}
template <typename T>
CONVMAT_INLINE Complex<T> add_turned(Complex<T> a, Complex<T> b) {
  return {sub(a.re, b.im), add(a.im, b.re)};
}
template <typename T>
CONVMAT_INLINE Complex<T> mul(Complex<T> a, Complex<T> b) {
  return {fnma(a.im, b.im, mul(a.re, b.re)), fma(a.im, b.re, mul(a.re, b.im))};
}

// x[k] <-- sum over j of x[j] e^(-2 pi i j k / R).
template <int R, typename T>
CONVMAT_INLINE void butterfly(Complex<T> (&x)[R], const T* roots) {
  if constexpr (R == 2) {
    const Complex<T> a = x[0];
    x[0] = add(a, x[1]);
    x[1] = sub(a, x[1]);
  } else if constexpr (R == 4) {
    const Complex<T> ac = add(x[0], x[2]), ac_diff = sub(x[0], x[2]);
    const Complex<T> bd = add(x[1], x[3]), bd_diff = sub(x[1], x[3]);
    x[0] = add(ac, bd);
    x[1] = sub_turned(ac_diff, bd_diff);
    x[2] = sub(ac, bd);
    x[3] = add_turned(ac_diff, bd_diff);
  } else if constexpr (R == 8) {
    Complex<T> even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
    butterfly<4>(even, roots);
    butterfly<4>(odd, roots);
    // odd[k] times e^(-2 pi i k / 8), whose parts are 0 or 1 or sqrt(1/2) in size
    const Vec<T> half = broadcast(static_cast<T>(0.70710678118654752440));
    const Complex<T> odd1 = {mul(half, add(odd[1].re, odd[1].im)), mul(half, sub(odd[1].im, odd[1].re))};
    const Complex<T> odd3 = {mul(half, sub(odd[3].im, odd[3].re)), mul(half, add(odd[3].re, odd[3].im))};
    x[0] = add(even[0], odd[0]);
    x[4] = sub(even[0], odd[0]);
    x[1] = add(even[1], odd1);
    x[5] = sub(even[1], odd1);
    x[2] = sub_turned(even[2], odd[2]);
    x[6] = add_turned(even[2], odd[2]);
    // odd3 holds the imaginary part with its sign turned
    x[3] = {add(even[3].re, odd3.re), sub(even[3].im, odd3.im)};
    x[7] = {sub(even[3].re, odd3.re), add(even[3].im, odd3.im)};
  } else {
    // Odd R: terms j and R - j share their cosine and sine, and so do outputs k and R - k.
    constexpr int pairs = (R - 1) / 2;
    Complex<T> sums[pairs], differences[pairs];
    CONVMAT_UNROLL for (int j = 0; j < pairs; ++j) {
      sums[j] = add(x[j + 1], x[R - 1 - j]);
      differences[j] = sub(x[j + 1], x[R - 1 - j]);
    }
    const Complex<T> first = x[0];
    CONVMAT_UNROLL for (int j = 0; j < pairs; ++j) x[0] = add(x[0], sums[j]);
    CONVMAT_UNROLL for (int k = 1; k <= pairs; ++k) {
      Complex<T> even = first, odd = {zero<T>(), zero<T>()};
      CONVMAT_UNROLL for (int j = 1; j <= pairs; ++j) {
        const Vec<T> cos = broadcast(roots[2 * (j * k % R)]), sin = broadcast(roots[2 * (j * k % R) + 1]);
        even = {fma(cos, sums[j - 1].re, even.re), fma(cos, sums[j - 1].im, even.im)};
        odd = {fma(sin, differences[j - 1].re, odd.re), fma(sin, differences[j - 1].im, odd.im)};
      }
      x[k] = sub_turned(even, odd);
      x[R - k] = add_turned(even, odd);
    }
  }
}

// The last pass has a scale in place of twiddles. One kernel serves all: a branch that always goes the same
// way costs nothing beside a butterfly.
template <typename T, int R>
CONVMAT_NOINLINE void fft_radix_pass(const FftPass<T>& pass) {
  using V = Vec<T>;
  // Rows that lie one behind the other make one long run of lanes.
  const bool dense = pass.pitch == pass.columns && pass.out_pitch == pass.columns;
  const int64_t runs = dense ? 1 : pass.done, run = dense ? pass.done * pass.columns : pass.columns;
  const int64_t in_step = pass.rest * pass.done * pass.pitch, out_step = pass.done * pass.out_pitch;
  const V scale = broadcast(pass.scale);
  const bool twiddled = pass.rest > 1;
  const T* w = pass.twiddles;
  for (int64_t p = 0; p < pass.rest; ++p, w += 2 * (R - 1)) {
    Complex<T> factors[R];
    if (twiddled) {
      CONVMAT_UNROLL for (int k = 1; k < R; ++k)
          factors[k] = {broadcast(w[2 * k - 2]), broadcast(w[2 * k - 1])};
    }
    for (int64_t q = 0; q < runs; ++q) {
      const int64_t in_at = (p * pass.done + q) * pass.pitch,
                    out_at = (p * R * pass.done + q) * pass.out_pitch;
      const T *re = pass.re + in_at, *im = pass.im + in_at;
      T *out_re = pass.out_re + out_at, *out_im = pass.out_im + out_at;
      for (int64_t c = 0; c < run; c += V::lanes) {
        Complex<T> x[R];
        CONVMAT_UNROLL for (int j = 0; j < R; ++j) {
          x[j] = {load(re + c + j * in_step), load(im + c + j * in_step)};
        }
        butterfly<R>(x, pass.roots);
        if (twiddled) {
          CONVMAT_UNROLL for (int k = 1; k < R; ++k) x[k] = mul(x[k], factors[k]);
        } else {
          CONVMAT_UNROLL for (int k = 0; k < R; ++k) x[k] = {mul(x[k].re, scale), mul(x[k].im, scale)};
        }
        CONVMAT_UNROLL for (int k = 0; k < R; ++k) {
          store(out_re + c + k * out_step, x[k].re);
          store(out_im + c + k * out_step, x[k].im);
        }
      }
    }
  }
}

template <typename T>
void fft_pass(const FftPass<T>& pass) {
  switch (pass.radix) {
    case 2:
      return fft_radix_pass<T, 2>(pass);
    case 3:
      return fft_radix_pass<T, 3>(pass);
    case 4:
      return fft_radix_pass<T, 4>(pass);
    case 5:
      return fft_radix_pass<T, 5>(pass);
    case 7:
      return fft_radix_pass<T, 7>(pass);
    default:
      return fft_radix_pass<T, 8>(pass);
  }
}

// out[c][r] <-- in[r][c] * base[r] * lane[r][c]
template <typename T>
void fft_twist(const FftTwist<T>& t) {
  using V = Vec<T>;
  constexpr int lanes = V::lanes;
  for (int64_t c = 0; c < t.columns; c += lanes) {
    const int columns = static_cast<int>(t.columns - c < lanes ? t.columns - c : lanes);
    for (int64_t r = 0; r < t.rows; r += lanes) {
      const int rows = static_cast<int>(t.rows - r < lanes ? t.rows - r : lanes);
      V re[lanes], im[lanes];
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        // Rows beyond the last repeat it; their results are not stored.
        const int64_t row = r + (i < rows ? i : rows - 1), at = row * t.pitch + c;
        const int64_t lane_at = row * t.lane_pitch + c;
        const Complex<T> base = {broadcast(t.base[2 * row]), broadcast(t.base[2 * row + 1])};
        const Complex<T> lane = {load(t.lane_re + lane_at), load(t.lane_im + lane_at)};
        const Complex<T> x = mul(Complex<T>{load(t.re + at), load(t.im + at)}, mul(lane, base));
        re[i] = x.re;
        im[i] = x.im;
      }
      transpose(re);
      transpose(im);
      const auto mask = first_lanes<T>(rows);
      CONVMAT_UNROLL for (int i = 0; i < lanes; ++i) {
        if (i >= columns) break;
        T* const out_re = t.out_re + (c + i) * t.out_pitch + r;
        T* const out_im = t.out_im + (c + i) * t.out_pitch + r;
        if (rows == lanes) {
          store(out_re, re[i]);
          store(out_im, im[i]);
        } else {
          store(out_re, mask, re[i]);
          store(out_im, mask, im[i]);
        }
      }
    }
  }
}

// Sums of O outputs and P tiles in registers while the channels go by.
template <typename T, int O, int P>
CONVMAT_INLINE void fft_product_block(const FftProduct<T>& p, const T* x, const T* w, T* sum) {
  constexpr int64_t block = kFftBlock<T>;
  for (int64_t at = 0; at < block; at += Vec<T>::lanes) {
    Complex<T> sums[O][P];
    CONVMAT_UNROLL for (int o = 0; o < O; ++o) {
      CONVMAT_UNROLL for (int t = 0; t < P; ++t) sums[o][t] = {zero<T>(), zero<T>()};
    }
    const T *from = x + at, *by = w + at;
    for (int64_t c = 0; c < p.channels; ++c, from += p.tiles * 2 * block, by += O * 2 * block) {
      Complex<T> factors[O];
      CONVMAT_UNROLL for (int o = 0; o < O; ++o) {
        factors[o] = {load(by + o * 2 * block), load(by + (o * 2 + 1) * block)};
      }
      CONVMAT_UNROLL for (int t = 0; t < P; ++t) {
        const Complex<T> a = {load(from + t * 2 * block), load(from + (t * 2 + 1) * block)};
        CONVMAT_UNROLL for (int o = 0; o < O; ++o) {
          Complex<T>& s = sums[o][t];
          s.re = fma(a.im, factors[o].im, fma(a.re, factors[o].re, s.re));
          s.im = fnma(a.re, factors[o].im, fma(a.im, factors[o].re, s.im));
        }
      }
    }
    CONVMAT_UNROLL for (int o = 0; o < O; ++o) {
      CONVMAT_UNROLL for (int t = 0; t < P; ++t) {
        T* const to = sum + (o * p.tiles + t) * 2 * block + at;
        store(to, sums[o][t].re);
        store(to + block, sums[o][t].im);
      }
    }
  }
}

template <typename T, int O>
CONVMAT_NOINLINE void fft_product_outs(const FftProduct<T>& p) {
  constexpr int64_t step = 2 * kFftBlock<T>;
  // Registers hold the sums of 2 outputs by 4 tiles where there are 32 of them.
  constexpr int kTiles = free_masks ? 4 : 2;
  for (int64_t b = 0; b < p.blocks; ++b) {
    const T *x = p.x + b * p.x_block, *w = p.w + b * p.w_block;
    T* const sum = p.sum + b * p.sum_block;
    int64_t t = 0;
    for (; t + kTiles <= p.tiles; t += kTiles) {
      fft_product_block<T, O, kTiles>(p, x + t * step, w, sum + t * step);
    }
    for (; t < p.tiles; ++t) fft_product_block<T, O, 1>(p, x + t * step, w, sum + t * step);
  }
}

// P tiles in registers while the terms go by.
template <typename T, int P>
CONVMAT_INLINE void fft_sum_tiles(const FftSum<T>& s, const T* x, T* sum) {
  constexpr int64_t block = kFftBlock<T>;
  for (int64_t at = 0; at < block; at += Vec<T>::lanes) {
    Complex<T> sums[P];
    CONVMAT_UNROLL for (int t = 0; t < P; ++t) sums[t] = {zero<T>(), zero<T>()};
    const T* by = s.w + at;
    for (int64_t term = 0; term < s.terms; ++term, by += 2 * block) {
      const T* const from = x + s.offsets[term] + at;
      const Complex<T> factor = {load(by), load(by + block)};
      CONVMAT_UNROLL for (int t = 0; t < P; ++t) {
        const Complex<T> a = {load(from + t * 2 * block), load(from + (t * 2 + 1) * block)};
        sums[t].re = fma(a.im, factor.im, fma(a.re, factor.re, sums[t].re));
        sums[t].im = fnma(a.re, factor.im, fma(a.im, factor.re, sums[t].im));
      }
    }
    CONVMAT_UNROLL for (int t = 0; t < P; ++t) {
      store(sum + t * 2 * block + at, sums[t].re);
      store(sum + (t * 2 + 1) * block + at, sums[t].im);
    }
  }
}

// One tile by four sums in turn: one alone would wait for each addition to finish.
template <typename T>
CONVMAT_INLINE void fft_sum_tile(const FftSum<T>& s, const T* x, T* sum) {
  constexpr int64_t block = kFftBlock<T>;
  constexpr int kSums = 4;
  for (int64_t at = 0; at < block; at += Vec<T>::lanes) {
    Complex<T> sums[kSums];
    CONVMAT_UNROLL for (int i = 0; i < kSums; ++i) sums[i] = {zero<T>(), zero<T>()};
    const auto add_term = [&](int64_t term, Complex<T>& to) {
      const T *const from = x + s.offsets[term] + at, *const by = s.w + term * 2 * block + at;
      const Complex<T> a = {load(from), load(from + block)}, factor = {load(by), load(by + block)};
      to.re = fma(a.im, factor.im, fma(a.re, factor.re, to.re));
      to.im = fnma(a.re, factor.im, fma(a.im, factor.re, to.im));
    };
    int64_t term = 0;
    for (; term + kSums <= s.terms; term += kSums) {
      CONVMAT_UNROLL for (int i = 0; i < kSums; ++i) add_term(term + i, sums[i]);
    }
    for (; term < s.terms; ++term) add_term(term, sums[0]);
    store(sum + at, add(add(sums[0].re, sums[1].re), add(sums[2].re, sums[3].re)));
    store(sum + block + at, add(add(sums[0].im, sums[1].im), add(sums[2].im, sums[3].im)));
  }
}

template <typename T>
void fft_sum(const FftSum<T>& s) {
  constexpr int64_t step = 2 * kFftBlock<T>;
  // Registers hold the sums of eight tiles where there are 32 of them.
  constexpr int kTiles = free_masks ? 8 : 4;
  int64_t t = 0;
  for (; t + kTiles <= s.tiles; t += kTiles) fft_sum_tiles<T, kTiles>(s, s.x + t * step, s.sum + t * step);
  for (; t + 2 <= s.tiles; t += 2) fft_sum_tiles<T, 2>(s, s.x + t * step, s.sum + t * step);
  if (t < s.tiles) fft_sum_tile<T>(s, s.x + t * step, s.sum + t * step);
}

template <typename T>
bool fft_finish(const FftFinish<T>& f) {
  using V = Vec<T>;
  const V scale = broadcast(f.scale), bias = broadcast(f.bias), lo = broadcast(f.lo), hi = broadcast(f.hi);
  V zeros = zero<T>();  // times any number that is finite
  for (int64_t i = 0; i < f.count; i += V::lanes) {
    const bool whole = f.count - i >= V::lanes;
    const Mask<T> mask = first_lanes<T>(whole ? V::lanes : static_cast<int>(f.count - i));
    const V sums = whole ? load(f.from + i) : load(f.from + i, mask);
    zeros = fma(sums, zero<T>(), zeros);
    const V result = min(hi, max(lo, add(mul(sums, scale), bias)));
    if (whole) {
      store(f.to + i, result);
    } else {
      store(f.to + i, mask, result);
    }
  }
  return sum(zeros) == 0;
}

template <typename T>
void fft_product(int outs, const FftProduct<T>& product) {
  return outs == 1 ? fft_product_outs<T, 1>(product) : fft_product_outs<T, kFftOuts>(product);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
