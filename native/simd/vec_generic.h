// Vector layer, generic: 16-byte vectors that any compiler maps to its baseline, one element each under MSVC.
// Here stands what each name means; the other vec_*.h say only how.
//
//   Vec<T>, Vec<T>::lanes    a vector of float, double or int32_t; the latter has load, store, zero,
//                            broadcast, and add and dot_pairs, which wrap
//   first_lanes<T>(n)        the mask of the first n lanes, 0 <= n <= lanes
//   mask_of<T>(bits)         the mask of the lanes whose bit is set; bits beyond the lanes are ignored
//   load(p), load(p, mask)   unaligned; lanes outside the mask are not touched in memory, and are 0
//   store(p, v), store(p, mask, v)
//   store_first<N>(p, v)     the first N lanes, 1 <= N <= lanes
//   gather(p, indices)       lane i is p[indices[i]], of `lanes` int32 indices; float and double
//   load_even(p, mask)        every second element: lane i is p[2 * i]
//   load_widened(p), store_narrowed(p, v)   a vector of doubles from floats and to floats, rounded to
//                            nearest; or from doubles and to doubles; the first from int32, too
//   transpose(rows)          of a square of lanes x lanes, in place
//   zero<T>(), broadcast(a)
//   add, sub, mul            lane by lane
//   fma(a, b, c)             a * b + c, rounded once where the hardware can (everywhere but here)
//   fnma(a, b, c)            c - a * b, likewise
//   dot_pairs(a, b, c)       c + the dot product of two int16 pairs, per int32 lane
//   has_pick                 whether there is pick(a, b, index, mask): of floats, lane i is a's or b's lane
//                            index[i], counted from a's through b's; lanes outside the mask are 0
//   has_dot_quads            whether there is dot_quads(x, w, c): c + the dot product of four bytes of x with
//                            four int8 of w; x's are int8 where signed_quads, uint8 elsewhere. It may need
//                            more of the CPU than the rest: runtime/cpu.cc withdraws the kernels that use it
//   load_bytes(p), load_bytes(p, n)   of uint8, one per int32 lane; n of them, zeros beyond
//   pair_words(even, odd)    per lane: the low half of even, with the low half of odd above it
//   join_bytes(a, b, c, d)   per lane: the low bytes of the four, a's lowest
//   bits_xor(a, b)           of int32
//   scale_to_bytes(a, m, zero)   per int32 lane, four bytes: of each a[k], a[k] * m[lane] in double,
//                            rounded, halves to even, plus `zero` of 0 to 255, saturated to uint8;
//                            a[0]'s lowest
//   guess_bytes(a, m, zero, sure)   the same, where `sure`; what it is otherwise, scale_to_bytes has to say
//   round_to_bytes(a, zero)  per lane, four bytes: each a[k], of floats, rounded, halves to even, plus
//                            `zero` of 0 to 255, saturated to uint8; a[0]'s lowest
//   to_float(a)              of int32, rounded to nearest
//   fma_once(a, b, c)        of floats, a * b + c, rounded once here, too, for integers a of 8 bits, and b
//   and c
//                            that differ in size by less than 2^20
//   store_split(p, words)    p[k * lanes + lane] <-- byte k of a word
//   store_bytes(p, v, first, count)   p[i] <-- byte first + i of v, of all its lanes, i < count
//   store_lanes(p, rows)     p[lane][4] <-- rows[4][lane], of int32
//   store_rounded(p, v)      p[i] <-- the int32 next to a double that is in its range, halves to even
//   has_channels             whether there are the next two, of uint8 and uint16, C from 1 to 4:
//   load_channels<C>(p, channels)    lane i of channels[c], a float, is p[C * i + c]
//   store_channels<C>(p, channels)   p[C * i + c] <-- lane i of channels[c], an int32 that P holds
//   min(a, b), max(a, b)     a if a < b (a > b), else b: a NaN in b comes through, so constants go first
//   div, if_less             of floats and doubles: a / b; yes where a < b, lane by lane
//   negate, square_root, if_equal   of floats
//   round_even(a)            to the nearest integer, halves to even
//   power_of_two(n)          2^n of an integral n from -126 to 127
//   sum(v)                   of all lanes, in an order of the ISA's own
//   keep(v)                  v, in a register: for what is loaded once and used often, where a compiler might
//   load
//                            it again for every use
//   free_masks               masked access costs no more than plain
#pragma once

#include <math.h>
#include <string.h>

#include <cstdint>

#if defined(__SSE2__)
  #include <emmintrin.h>
#endif

#include "simd/compiler.h"

namespace convmat::generic {
namespace {

template <typename T>
struct Vec {
#if defined(__GNUC__)
  static constexpr int lanes = 16 / sizeof(T);
  typedef T Register __attribute__((vector_size(16)));
  typedef T Unaligned __attribute__((vector_size(16), aligned(alignof(T)), may_alias));
#else
  static constexpr int lanes = 1;
  struct Register {
    T lane;
    T& operator[](int) { return lane; }
    T operator[](int) const { return lane; }
    Register operator+(Register b) const { return {lane + b.lane}; }
    Register operator-(Register b) const { return {lane - b.lane}; }
    Register operator*(Register b) const { return {lane * b.lane}; }
  };
  typedef Register Unaligned;
#endif
  Register v;
};

template <typename T>
struct Mask {
  uint32_t bits;
};

constexpr bool free_masks = false;

template <typename T>
CONVMAT_INLINE Mask<T> first_lanes(int count) {
  return {(1u << count) - 1u};
}
template <typename T>
CONVMAT_INLINE Mask<T> mask_of(uint32_t bits) {
  return {bits};
}

template <typename T>
CONVMAT_INLINE Vec<T> zero() {
  return {typename Vec<T>::Register{}};
}
template <typename T>
CONVMAT_INLINE Vec<T> broadcast(T a) {
  Vec<T> r;
  for (int i = 0; i < Vec<T>::lanes; ++i) r.v[i] = a;
  return r;
}
template <typename T>
CONVMAT_INLINE Vec<T> load(const T* p) {
  return {*reinterpret_cast<const typename Vec<T>::Unaligned*>(p)};
}
// Masked access is a loop, and not inlined: unrolled kernels would be mostly that.
template <typename T>
CONVMAT_NOINLINE Vec<T> load(const T* p, Mask<T> mask) {
  Vec<T> r = zero<T>();
  for (int i = 0; i < Vec<T>::lanes; ++i) {
    if (mask.bits >> i & 1) r.v[i] = p[i];
  }
  return r;
}
template <typename T>
CONVMAT_INLINE void store(T* p, Vec<T> a) {
  *reinterpret_cast<typename Vec<T>::Unaligned*>(p) = a.v;
}
template <typename T>
CONVMAT_NOINLINE void store(T* p, Mask<T> mask, Vec<T> a) {
  for (int i = 0; i < Vec<T>::lanes; ++i) {
    if (mask.bits >> i & 1) p[i] = a.v[i];
  }
}
template <int N, typename T>
CONVMAT_INLINE void store_first(T* p, Vec<T> a) {
  for (int i = 0; i < N; ++i) p[i] = a.v[i];
}
template <typename T>
CONVMAT_INLINE Vec<T> add(Vec<T> a, Vec<T> b) {
  return {a.v + b.v};
}
template <typename T>
CONVMAT_INLINE Vec<T> sub(Vec<T> a, Vec<T> b) {
  return {a.v - b.v};
}
template <typename T>
CONVMAT_INLINE Vec<T> mul(Vec<T> a, Vec<T> b) {
  return {a.v * b.v};
}
template <typename T>
CONVMAT_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return {a.v * b.v + c.v};
}
template <typename T>
CONVMAT_INLINE Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return {c.v - a.v * b.v};
}
template <typename T>
CONVMAT_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
#if defined(__GNUC__)
  return {a.v < b.v ? a.v : b.v};
#else
  return a.v.lane < b.v.lane ? a : b;
#endif
}
template <typename T>
CONVMAT_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
#if defined(__GNUC__)
  return {a.v > b.v ? a.v : b.v};
#else
  return a.v.lane > b.v.lane ? a : b;
#endif
}
CONVMAT_INLINE Vec<float> div(Vec<float> a, Vec<float> b) {
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) r.v[i] = a.v[i] / b.v[i];
  return r;
}
CONVMAT_INLINE Vec<float> negate(Vec<float> a) {
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) r.v[i] = -a.v[i];
  return r;
}
CONVMAT_INLINE Vec<float> square_root(Vec<float> a) {
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) r.v[i] = sqrtf(a.v[i]);
  return r;
}
CONVMAT_INLINE Vec<float> round_even(Vec<float> a) {
  // Added to a small number and taken away again, it leaves no bits for a fraction.
  constexpr float no_fraction = 12582912.0f;  // 1.5 * 2^23
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) {
    const float x = a.v[i], size = x < 0 ? -x : x;
    const float rounded = size + no_fraction - no_fraction;
    r.v[i] = !(size < 4194304.0f) ? x : x < 0 ? -rounded : rounded;
  }
  return r;
}
CONVMAT_INLINE Vec<float> power_of_two(Vec<float> n) {
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) {
    // Of NaN, whatever: nothing reads it.
    const int32_t exponent = n.v[i] > -128.0f && n.v[i] < 129.0f ? static_cast<int32_t>(n.v[i]) + 127 : 0;
    const uint32_t bits = static_cast<uint32_t>(exponent) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    r.v[i] = value;
  }
  return r;
}
CONVMAT_INLINE Vec<float> if_less(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) r.v[i] = a.v[i] < b.v[i] ? yes.v[i] : no.v[i];
  return r;
}
CONVMAT_INLINE Vec<float> if_equal(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) r.v[i] = a.v[i] == b.v[i] ? yes.v[i] : no.v[i];
  return r;
}
CONVMAT_INLINE Vec<double> div(Vec<double> a, Vec<double> b) {
  Vec<double> r;
  for (int i = 0; i < Vec<double>::lanes; ++i) r.v[i] = a.v[i] / b.v[i];
  return r;
}
CONVMAT_INLINE Vec<double> if_less(Vec<double> a, Vec<double> b, Vec<double> yes, Vec<double> no) {
  Vec<double> r;
  for (int i = 0; i < Vec<double>::lanes; ++i) r.v[i] = a.v[i] < b.v[i] ? yes.v[i] : no.v[i];
  return r;
}
template <typename T>
CONVMAT_INLINE T sum(Vec<T> a) {
  T s = a.v[0];
  for (int i = 1; i < Vec<T>::lanes; ++i) s += a.v[i];
  return s;
}

template <typename T>
CONVMAT_INLINE Vec<T> gather(const T* p, const int32_t* indices) {
  Vec<T> r;
  for (int i = 0; i < Vec<T>::lanes; ++i) r.v[i] = p[indices[i]];
  return r;
}
#if defined(__SSE2__)
// Two lanes that no compiler finds in the loops below.
CONVMAT_INLINE Vec<double> load_widened(const float* p) {
  // A double would have to lie at a multiple of its size.
  const __m128i pair = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return {reinterpret_cast<Vec<double>::Register>(_mm_cvtps_pd(_mm_castsi128_ps(pair)))};
}
CONVMAT_INLINE void store_narrowed(float* p, Vec<double> a) {
  _mm_storel_pi(reinterpret_cast<__m64*>(p), _mm_cvtpd_ps(reinterpret_cast<__m128d>(a.v)));
}
#else
CONVMAT_INLINE Vec<double> load_widened(const float* p) {
  Vec<double> r;
  for (int i = 0; i < Vec<double>::lanes; ++i) r.v[i] = p[i];
  return r;
}
CONVMAT_INLINE void store_narrowed(float* p, Vec<double> a) {
  for (int i = 0; i < Vec<double>::lanes; ++i) p[i] = static_cast<float>(a.v[i]);
}
#endif
CONVMAT_INLINE Vec<double> load_widened(const double* p) { return load(p); }
CONVMAT_INLINE Vec<double> load_widened(const int32_t* p) {
  Vec<double> r;
  for (int i = 0; i < Vec<double>::lanes; ++i) r.v[i] = p[i];
  return r;
}
CONVMAT_INLINE void store_narrowed(double* p, Vec<double> a) { store(p, a); }
template <typename T>
CONVMAT_NOINLINE Vec<T> load_even(const T* p, Mask<T> mask) {
  Vec<T> r = zero<T>();
  for (int i = 0; i < Vec<T>::lanes; ++i) {
    if (mask.bits >> i & 1) r.v[i] = p[2 * i];
  }
  return r;
}
template <typename T>
CONVMAT_INLINE void transpose(Vec<T> (&rows)[Vec<T>::lanes]) {
  for (int i = 0; i < Vec<T>::lanes; ++i) {
    for (int j = 0; j < i; ++j) {
      const T above = rows[j].v[i];
      rows[j].v[i] = rows[i].v[j];
      rows[i].v[j] = above;
    }
  }
}

CONVMAT_INLINE Vec<int32_t> add(Vec<int32_t> a, Vec<int32_t> b) {
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    r.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) + static_cast<uint32_t>(b.v[i]));
  }
  return r;
}
#if defined(__SSE2__)
// The baseline of x86-64 has it, but no compiler finds it in the loop below.
CONVMAT_INLINE Vec<int32_t> dot_pairs(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c) {
  const __m128i products = _mm_madd_epi16(reinterpret_cast<__m128i>(a.v), reinterpret_cast<__m128i>(b.v));
  return {reinterpret_cast<Vec<int32_t>::Register>(_mm_add_epi32(reinterpret_cast<__m128i>(c.v), products))};
}
#else
// Halves are taken apart by shifts.
CONVMAT_INLINE Vec<int32_t> dot_pairs(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c) {
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    const int32_t low = static_cast<int16_t>(a.v[i]) * static_cast<int16_t>(b.v[i]);
    const int32_t high = (a.v[i] >> 16) * (b.v[i] >> 16);
    r.v[i] = static_cast<int32_t>(static_cast<uint32_t>(c.v[i]) + static_cast<uint32_t>(low) +
                                  static_cast<uint32_t>(high));
  }
  return r;
}
#endif

CONVMAT_INLINE Vec<int32_t> sub(Vec<int32_t> a, Vec<int32_t> b) {
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    r.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) - static_cast<uint32_t>(b.v[i]));
  }
  return r;
}
CONVMAT_INLINE Vec<int32_t> mul(Vec<int32_t> a, Vec<int32_t> b) {
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    r.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) * static_cast<uint32_t>(b.v[i]));
  }
  return r;
}
CONVMAT_INLINE Vec<int32_t> bits_xor(Vec<int32_t> a, Vec<int32_t> b) {
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) r.v[i] = a.v[i] ^ b.v[i];
  return r;
}

constexpr bool has_pick = false;

constexpr bool has_dot_quads = false, signed_quads = false;

CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p) {
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) r.v[i] = p[i];
  return r;
}
CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p, int count) {
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) r.v[i] = i < count ? p[i] : 0;
  return r;
}
CONVMAT_INLINE Vec<int32_t> pair_words(Vec<int32_t> even, Vec<int32_t> odd) {
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    r.v[i] = static_cast<int32_t>((static_cast<uint32_t>(even.v[i]) & 0xffffu) |
                                  static_cast<uint32_t>(odd.v[i]) << 16);
  }
  return r;
}
CONVMAT_INLINE Vec<int32_t> join_bytes(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c, Vec<int32_t> d) {
  const auto byte = [](int32_t value) { return static_cast<uint32_t>(value) & 0xffu; };
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    r.v[i] = static_cast<int32_t>(byte(a.v[i]) | byte(b.v[i]) << 8 | byte(c.v[i]) << 16 | byte(d.v[i]) << 24);
  }
  return r;
}
CONVMAT_INLINE Vec<int32_t> scale_to_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                           int32_t zero_point) {
  // Added to a small number and taken away again, it leaves no bits for a fraction.
  constexpr double no_fraction = 6755399441055744.0;  // 1.5 * 2^52
  const double lo = -zero_point, hi = 255 - zero_point;
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    uint32_t word = 0;
    for (int k = 0; k < 4; ++k) {
      double value = a[k].v[i] * multipliers[i];
      value = value > lo ? value : lo;
      value = value < hi ? value : hi;
      word |= static_cast<uint32_t>(static_cast<int32_t>(value + no_fraction - no_fraction) + zero_point)
              << 8 * k;
    }
    r.v[i] = static_cast<int32_t>(word);
  }
  return r;
}
CONVMAT_INLINE Vec<int32_t> guess_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                        int32_t zero_point, bool* sure) {
  *sure = true;
  return scale_to_bytes(a, multipliers, zero_point);
}
CONVMAT_INLINE Vec<float> to_float(Vec<int32_t> a) {
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) r.v[i] = static_cast<float>(a.v[i]);
  return r;
}
CONVMAT_INLINE Vec<float> fma_once(Vec<float> a, Vec<float> b, Vec<float> c) {
  Vec<float> r;
  for (int i = 0; i < Vec<float>::lanes; ++i) {
    const double product = static_cast<double>(a.v[i]) * static_cast<double>(b.v[i]);
    r.v[i] = static_cast<float>(product + static_cast<double>(c.v[i]));
  }
  return r;
}
CONVMAT_INLINE Vec<int32_t> round_to_bytes(const Vec<float> (&a)[4], int32_t zero_point) {
  constexpr float no_fraction = 12582912.0f;  // 1.5 * 2^23
  const auto lo = static_cast<float>(-zero_point), hi = static_cast<float>(255 - zero_point);
  Vec<int32_t> r;
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    uint32_t word = 0;
    for (int k = 0; k < 4; ++k) {
      float value = a[k].v[i];
      value = value > lo ? value : lo;
      value = value < hi ? value : hi;
      word |= static_cast<uint32_t>(static_cast<int32_t>(value + no_fraction - no_fraction) + zero_point)
              << 8 * k;
    }
    r.v[i] = static_cast<int32_t>(word);
  }
  return r;
}
CONVMAT_INLINE void store_split(uint8_t* p, Vec<int32_t> words) {
  constexpr int lanes = Vec<int32_t>::lanes;
  for (int k = 0; k < 4; ++k) {
    for (int i = 0; i < lanes; ++i) p[k * lanes + i] = static_cast<uint8_t>(words.v[i] >> 8 * k);
  }
}
CONVMAT_INLINE void store_bytes(uint8_t* p, Vec<int32_t> bytes, int first, int count) {
  uint8_t all[4 * Vec<int32_t>::lanes];
  store(reinterpret_cast<int32_t*>(all), bytes);
  for (int i = 0; i < count; ++i) p[i] = all[first + i];
}
CONVMAT_INLINE void store_lanes(int32_t* p, const Vec<int32_t> (&rows)[4]) {
  for (int i = 0; i < Vec<int32_t>::lanes; ++i) {
    for (int k = 0; k < 4; ++k) p[4 * i + k] = rows[k].v[i];
  }
}

#if defined(__SSE2__)
CONVMAT_INLINE void store_rounded(int32_t* p, Vec<double> a) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_cvtpd_epi32(reinterpret_cast<__m128d>(a.v)));
}
#else
CONVMAT_INLINE void store_rounded(int32_t* p, Vec<double> a) {
  // Added to a value of that range, it leaves the integer next to it in the lowest bits.
  constexpr double integers = 6755399441055744.0;  // 1.5 * 2^52
  for (int i = 0; i < Vec<double>::lanes; ++i) {
    const double value = a.v[i] + integers;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    p[i] = static_cast<int32_t>(bits);
  }
}
#endif

// Compilers find vectors for the loops that take pixels apart, or have none to find.
constexpr bool has_channels = false;

template <typename T>
CONVMAT_INLINE Vec<T> keep(Vec<T> a) {
  return a;
}

}  // namespace
}  // namespace convmat::generic
