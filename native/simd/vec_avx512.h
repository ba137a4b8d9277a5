// Vector layer, AVX-512 F, BW, DQ and VL: 16 floats, 8 doubles, and masks that cost nothing. The same names
// in every vec_*.h; see vec_generic.h for what each one means.
#pragma once

// GCC before 13 warns of its own headers: their "undefined" vectors initialise themselves (GCC PR 105593).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
  #pragma GCC diagnostic push
  #pragma GCC diagnostic ignored "-Wuninitialized"
  #pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
  #include <immintrin.h>
  #pragma GCC diagnostic pop
#else
  #include <immintrin.h>
#endif

#include <cstdint>

#include "simd/compiler.h"

namespace convmat::avx512 {
namespace {

template <typename T>
struct Vec;

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  __m512 v;
};
template <>
struct Vec<double> {
  static constexpr int lanes = 8;
  __m512d v;
};
template <>
struct Vec<int32_t> {
  static constexpr int lanes = 16;
  __m512i v;
};

template <typename T>
struct Mask;

template <>
struct Mask<float> {
  __mmask16 m;
};
template <>
struct Mask<double> {
  __mmask8 m;
};
template <>
struct Mask<int32_t> {
  __mmask16 m;
};

constexpr bool free_masks = true;

template <typename T>
CONVMAT_INLINE Mask<T> first_lanes(int count) {
  return {static_cast<decltype(Mask<T>::m)>((1u << count) - 1u)};
}

template <typename T>
CONVMAT_INLINE Mask<T> mask_of(uint32_t bits) {
  return {static_cast<decltype(Mask<T>::m)>(bits)};
}

template <typename T>
Vec<T> zero();

template <>
CONVMAT_INLINE Vec<float> zero<float>() {
  return {_mm512_setzero_ps()};
}
CONVMAT_INLINE Vec<float> broadcast(float a) { return {_mm512_set1_ps(a)}; }
CONVMAT_INLINE Vec<float> load(const float* p) { return {_mm512_loadu_ps(p)}; }
CONVMAT_INLINE Vec<float> load(const float* p, Mask<float> mask) {
  return {_mm512_maskz_loadu_ps(mask.m, p)};
}
CONVMAT_INLINE void store(float* p, Vec<float> a) { _mm512_storeu_ps(p, a.v); }
CONVMAT_INLINE void store(float* p, Mask<float> mask, Vec<float> a) { _mm512_mask_storeu_ps(p, mask.m, a.v); }
CONVMAT_INLINE Vec<float> add(Vec<float> a, Vec<float> b) { return {_mm512_add_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> sub(Vec<float> a, Vec<float> b) { return {_mm512_sub_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> mul(Vec<float> a, Vec<float> b) { return {_mm512_mul_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
CONVMAT_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
CONVMAT_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {_mm512_min_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {_mm512_max_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> div(Vec<float> a, Vec<float> b) { return {_mm512_div_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> negate(Vec<float> a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
CONVMAT_INLINE Vec<float> square_root(Vec<float> a) { return {_mm512_sqrt_ps(a.v)}; }
CONVMAT_INLINE Vec<float> round_even(Vec<float> a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
CONVMAT_INLINE Vec<float> power_of_two(Vec<float> n) {
  const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23))};
}
CONVMAT_INLINE Vec<float> if_less(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
CONVMAT_INLINE Vec<float> if_equal(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ), no.v, yes.v)};
}
CONVMAT_INLINE float sum(Vec<float> a) { return _mm512_reduce_add_ps(a.v); }

template <>
CONVMAT_INLINE Vec<double> zero<double>() {
  return {_mm512_setzero_pd()};
}
CONVMAT_INLINE Vec<double> broadcast(double a) { return {_mm512_set1_pd(a)}; }
CONVMAT_INLINE Vec<double> load(const double* p) { return {_mm512_loadu_pd(p)}; }
CONVMAT_INLINE Vec<double> load(const double* p, Mask<double> mask) {
  return {_mm512_maskz_loadu_pd(mask.m, p)};
}
CONVMAT_INLINE void store(double* p, Vec<double> a) { _mm512_storeu_pd(p, a.v); }
CONVMAT_INLINE void store(double* p, Mask<double> mask, Vec<double> a) {
  _mm512_mask_storeu_pd(p, mask.m, a.v);
}
CONVMAT_INLINE Vec<double> add(Vec<double> a, Vec<double> b) { return {_mm512_add_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> sub(Vec<double> a, Vec<double> b) { return {_mm512_sub_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> mul(Vec<double> a, Vec<double> b) { return {_mm512_mul_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm512_fmadd_pd(a.v, b.v, c.v)};
}
CONVMAT_INLINE Vec<double> fnma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm512_fnmadd_pd(a.v, b.v, c.v)};
}
CONVMAT_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {_mm512_min_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {_mm512_max_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> div(Vec<double> a, Vec<double> b) { return {_mm512_div_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> if_less(Vec<double> a, Vec<double> b, Vec<double> yes, Vec<double> no) {
  return {_mm512_mask_blend_pd(_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
CONVMAT_INLINE double sum(Vec<double> a) { return _mm512_reduce_add_pd(a.v); }

template <int N, typename T>
CONVMAT_INLINE void store_first(T* p, Vec<T> a) {
  if constexpr (N == Vec<T>::lanes) {
    store(p, a);
  } else {
    store(p, first_lanes<T>(N), a);
  }
}

CONVMAT_INLINE Vec<float> gather(const float* p, const int32_t* indices) {
  return {_mm512_i32gather_ps(_mm512_loadu_si512(indices), p, 4)};
}
CONVMAT_INLINE Vec<double> gather(const double* p, const int32_t* indices) {
  return {_mm512_i32gather_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(indices)), p, 8)};
}

CONVMAT_INLINE Vec<double> load_widened(const float* p) { return {_mm512_cvtps_pd(_mm256_loadu_ps(p))}; }
CONVMAT_INLINE Vec<double> load_widened(const double* p) { return load(p); }
CONVMAT_INLINE Vec<double> load_widened(const int32_t* p) {
  return {_mm512_cvtepi32_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
CONVMAT_INLINE void store_narrowed(float* p, Vec<double> a) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(a.v)); }
CONVMAT_INLINE void store_narrowed(double* p, Vec<double> a) { store(p, a); }

CONVMAT_INLINE Vec<float> load_even(const float* p, Mask<float> mask) {
  const uint32_t spread = _pdep_u32(mask.m, 0x55555555u);
  const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(spread), p);
  const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(spread >> 16), p + 16);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return {_mm512_permutex2var_ps(low, even, high)};
}
CONVMAT_INLINE Vec<double> load_even(const double* p, Mask<double> mask) {
  const uint32_t spread = _pdep_u32(mask.m, 0x5555u);
  const __m512d low = _mm512_maskz_loadu_pd(static_cast<__mmask8>(spread), p);
  const __m512d high = _mm512_maskz_loadu_pd(static_cast<__mmask8>(spread >> 8), p + 8);
  return {_mm512_permutex2var_pd(low, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), high)};
}

// Pairs, then pairs of pairs within each 16-byte lane, then the lanes themselves.
CONVMAT_INLINE void transpose(Vec<float> (&rows)[16]) {
  __m512 a[16], b[16];
  CONVMAT_UNROLL for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v);
    a[i + 1] = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
  }
  CONVMAT_UNROLL for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) {
    a[i] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);
    a[i + 4] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xdd);
    a[i + 8] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
    a[i + 12] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xdd);
  }
  CONVMAT_UNROLL for (int i = 0; i < 8; ++i) {
    rows[i].v = _mm512_shuffle_f32x4(a[i], a[i + 8], 0x88);
    rows[i + 8].v = _mm512_shuffle_f32x4(a[i], a[i + 8], 0xdd);
  }
}
// Fewer rows than lanes: 4 leave column 4 p + i in quarter p of row i, 8 leave column 4 (2 (i / 4) + p) + i %
// 4 in half p.
CONVMAT_INLINE void transpose(Vec<float> (&rows)[4]) {
  const __m512 a = _mm512_unpacklo_ps(rows[0].v, rows[1].v), b = _mm512_unpackhi_ps(rows[0].v, rows[1].v);
  const __m512 c = _mm512_unpacklo_ps(rows[2].v, rows[3].v), d = _mm512_unpackhi_ps(rows[2].v, rows[3].v);
  rows[0].v = _mm512_shuffle_ps(a, c, 0x44);
  rows[1].v = _mm512_shuffle_ps(a, c, 0xee);
  rows[2].v = _mm512_shuffle_ps(b, d, 0x44);
  rows[3].v = _mm512_shuffle_ps(b, d, 0xee);
}
CONVMAT_INLINE void transpose(Vec<float> (&rows)[8]) {
  Vec<float> first[4] = {rows[0], rows[1], rows[2], rows[3]};
  Vec<float> last[4] = {rows[4], rows[5], rows[6], rows[7]};
  transpose(first);
  transpose(last);
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
  const __m512i high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) {
    const __m512d a = _mm512_castps_pd(first[i].v), b = _mm512_castps_pd(last[i].v);
    rows[i].v = _mm512_castpd_ps(_mm512_permutex2var_pd(a, low, b));
    rows[i + 4].v = _mm512_castpd_ps(_mm512_permutex2var_pd(a, high, b));
  }
}
CONVMAT_INLINE void transpose(Vec<double> (&rows)[8]) {
  __m512d a[8], b[8];
  CONVMAT_UNROLL for (int i = 0; i < 8; i += 2) {
    a[i] = _mm512_unpacklo_pd(rows[i].v, rows[i + 1].v);
    a[i + 1] = _mm512_unpackhi_pd(rows[i].v, rows[i + 1].v);
  }
  CONVMAT_UNROLL for (int i = 0; i < 2; ++i) {
    b[i] = _mm512_shuffle_f64x2(a[i], a[i + 2], 0x88);
    b[i + 2] = _mm512_shuffle_f64x2(a[i], a[i + 2], 0xdd);
    b[i + 4] = _mm512_shuffle_f64x2(a[i + 4], a[i + 6], 0x88);
    b[i + 6] = _mm512_shuffle_f64x2(a[i + 4], a[i + 6], 0xdd);
  }
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) {
    rows[i].v = _mm512_shuffle_f64x2(b[i], b[i + 4], 0x88);
    rows[i + 4].v = _mm512_shuffle_f64x2(b[i], b[i + 4], 0xdd);
  }
}

template <>
CONVMAT_INLINE Vec<int32_t> zero<int32_t>() {
  return {_mm512_setzero_si512()};
}
CONVMAT_INLINE Vec<int32_t> broadcast(int32_t a) { return {_mm512_set1_epi32(a)}; }
CONVMAT_INLINE Vec<int32_t> load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
CONVMAT_INLINE Vec<int32_t> load(const int32_t* p, Mask<int32_t> mask) {
  return {_mm512_maskz_loadu_epi32(mask.m, p)};
}
CONVMAT_INLINE void store(int32_t* p, Vec<int32_t> a) { _mm512_storeu_si512(p, a.v); }
CONVMAT_INLINE void store(int32_t* p, Mask<int32_t> mask, Vec<int32_t> a) {
  _mm512_mask_storeu_epi32(p, mask.m, a.v);
}
CONVMAT_INLINE Vec<int32_t> add(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_add_epi32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> dot_pairs(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c) {
  return {_mm512_add_epi32(c.v, _mm512_madd_epi16(a.v, b.v))};
}

CONVMAT_INLINE Vec<int32_t> sub(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_sub_epi32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> mul(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> bits_xor(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_xor_si512(a.v, b.v)}; }

constexpr bool has_pick = true;
CONVMAT_INLINE Vec<float> pick(Vec<float> a, Vec<float> b, Vec<int32_t> index, Mask<float> mask) {
  return {_mm512_maskz_permutex2var_ps(mask.m, a.v, index.v, b.v)};
}

// With VNNI. As an intrinsic it would need a flag that the rest of the unit must not have, and GCC 12 copies
// and spills around it: 1.4 to 2.5 times slower.
#if defined(__GNUC__)
constexpr bool has_dot_quads = true, signed_quads = false;
CONVMAT_INLINE Vec<int32_t> dot_quads(Vec<int32_t> x, Vec<int32_t> w, Vec<int32_t> c) {
  __asm__("vpdpbusd %[w], %[x], %[c]" : [c] "+v"(c.v) : [x] "v"(x.v), [w] "v"(w.v));
  return c;
}
#else
constexpr bool has_dot_quads = true, signed_quads = false;
CONVMAT_INLINE Vec<int32_t> dot_quads(Vec<int32_t> x, Vec<int32_t> w, Vec<int32_t> c) {
  return {_mm512_dpbusd_epi32(c.v, x.v, w.v)};
}
#endif

CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p, int count) {
  return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes<int32_t>(count).m, p))};
}
CONVMAT_INLINE Vec<int32_t> pair_words(Vec<int32_t> even, Vec<int32_t> odd) {
  return {_mm512_mask_blend_epi16(0xaaaaaaaau, even.v, _mm512_slli_epi32(odd.v, 16))};
}
CONVMAT_INLINE Vec<int32_t> join_bytes(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c, Vec<int32_t> d) {
  const __m512i low = _mm512_set1_epi16(0xff);
  const __m512i even =
      _mm512_and_si512(_mm512_mask_blend_epi16(0xaaaaaaaau, a.v, _mm512_slli_epi32(c.v, 16)), low);
  const __m512i odd = _mm512_mask_blend_epi16(0xaaaaaaaau, b.v, _mm512_slli_epi32(d.v, 16));
  return {_mm512_or_si512(even, _mm512_slli_epi16(odd, 8))};
}
// Sixteen products in double, rounded. What is too small for int32 becomes its least value, but what is too
// large does, too.
CONVMAT_INLINE __m512i round_products(__m512i sums, const double* multipliers) {
  const __m512d most = _mm512_set1_pd(1024);
  const auto round = [&](__m256i half, const double* m) {
    const __m512d products = _mm512_mul_pd(_mm512_cvtepi32_pd(half), _mm512_loadu_pd(m));
    return _mm512_cvtpd_epi32(_mm512_min_pd(products, most));
  };
  const __m256i low = round(_mm512_castsi512_si256(sums), multipliers);
  const __m256i high = round(_mm512_extracti64x4_epi64(sums, 1), multipliers + 8);
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
CONVMAT_NOINLINE void round_products(const __m512i* sums, const double* multipliers, __m512i* rounded) {
  for (int k = 0; k < 4; ++k) rounded[k] = round_products(sums[k], multipliers);
}
// Products of floats are within 2^-23 of those in double: of up to 1024, beyond which bytes are saturated
// whatever is added to them, within 2^-13. Where all are farther than that from the half between two
// integers, both round to the same one; otherwise double decides. Packing saturates.
CONVMAT_INLINE bool round_by_float(const Vec<int32_t> (&a)[4], const double* multipliers,
                                   __m512i (&rounded)[4]) {
  // Added to a number of up to 2^22, it leaves no bits for a fraction.
  constexpr float no_fraction = 12582912.0f;  // 1.5 * 2^23
  constexpr float farthest = 0.5f - 0x1.02p-13f;
  const __m512 shift = _mm512_set1_ps(no_fraction);
  const __m256 m_low = _mm512_cvtpd_ps(_mm512_loadu_pd(multipliers));
  const __m256 m_high = _mm512_cvtpd_ps(_mm512_loadu_pd(multipliers + 8));
  // Larger ones saturate every sum but 0, and infinity would make no number of that.
  const __m512 m =
      _mm512_min_ps(_mm512_insertf32x8(_mm512_castps256_ps512(m_low), m_high, 1), _mm512_set1_ps(0x1p60f));
  __m512 rest = _mm512_setzero_ps();
  CONVMAT_UNROLL for (int k = 0; k < 4; ++k) {
    const __m512 sums = _mm512_cvtepi32_ps(a[k].v);
    const __m512 shifted = _mm512_fmadd_ps(sums, m, shift);
    const __m512 integers = _mm512_sub_ps(shifted, shift);
    rest = _mm512_range_ps(rest, _mm512_fmsub_ps(sums, m, integers), 0xb);  // the larger magnitude
    // Patterns of floats that are not negative count in the order of the numbers.
    rounded[k] = _mm512_sub_epi32(_mm512_castps_si512(_mm512_max_ps(shifted, _mm512_setzero_ps())),
                                  _mm512_castps_si512(shift));
  }
  return _mm512_cmp_ps_mask(rest, _mm512_set1_ps(farthest), _CMP_GE_OQ) == 0;
}
CONVMAT_INLINE Vec<int32_t> pack_rounded(const __m512i (&rounded)[4], int32_t zero_point) {
  const __m512i zero = _mm512_set1_epi16(static_cast<int16_t>(zero_point));
  const __m512i even = _mm512_adds_epi16(_mm512_packs_epi32(rounded[0], rounded[1]), zero);
  const __m512i odd = _mm512_adds_epi16(_mm512_packs_epi32(rounded[2], rounded[3]), zero);
  // Four bytes of each a[k] in each 16-byte lane.
  const __m512i order = _mm512_set4_epi32(0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400);
  return {_mm512_shuffle_epi8(_mm512_packus_epi16(even, odd), order)};
}
CONVMAT_INLINE Vec<int32_t> scale_to_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                           int32_t zero_point) {
  __m512i rounded[4];
  if (!round_by_float(a, multipliers, rounded)) {
    const __m512i sums[4] = {a[0].v, a[1].v, a[2].v, a[3].v};
    round_products(sums, multipliers, rounded);
  }
  return pack_rounded(rounded, zero_point);
}
CONVMAT_INLINE Vec<float> to_float(Vec<int32_t> a) { return {_mm512_cvtepi32_ps(a.v)}; }
CONVMAT_INLINE Vec<float> fma_once(Vec<float> a, Vec<float> b, Vec<float> c) { return fma(a, b, c); }
CONVMAT_INLINE Vec<int32_t> round_to_bytes(const Vec<float> (&a)[4], int32_t zero_point) {
  // A NaN in the second operand of the minimum comes through, and becomes int32's least value.
  const __m512 most = _mm512_set1_ps(1024);
  __m512i rounded[4];
  CONVMAT_UNROLL for (int k = 0; k < 4; ++k) { rounded[k] = _mm512_cvtps_epi32(_mm512_min_ps(most, a[k].v)); }
  return pack_rounded(rounded, zero_point);
}
CONVMAT_INLINE Vec<int32_t> guess_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                        int32_t zero_point, bool* sure) {
  __m512i rounded[4];
  *sure = round_by_float(a, multipliers, rounded);
  return pack_rounded(rounded, zero_point);
}
CONVMAT_INLINE void store_split(uint8_t* p, Vec<int32_t> words) {
  const __m512i order = _mm512_set4_epi32(0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400);
  const __m512i lanes = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(lanes, _mm512_shuffle_epi8(words.v, order)));
}
CONVMAT_INLINE void store_bytes(uint8_t* p, Vec<int32_t> bytes, int first, int count) {
  // What the mask leaves out is not touched, whatever lies there.
  const __mmask64 mask = _bzhi_u64(~uint64_t{0}, static_cast<unsigned>(count)) << first;
  _mm512_mask_storeu_epi8(p - first, mask, bytes.v);
}
CONVMAT_INLINE void store_lanes(int32_t* p, const Vec<int32_t> (&rows)[4]) {
  const __m512i a = _mm512_unpacklo_epi32(rows[0].v, rows[1].v),
                b = _mm512_unpackhi_epi32(rows[0].v, rows[1].v);
  const __m512i c = _mm512_unpacklo_epi32(rows[2].v, rows[3].v),
                d = _mm512_unpackhi_epi32(rows[2].v, rows[3].v);
  const __m512i lanes[4] = {_mm512_unpacklo_epi64(a, c), _mm512_unpackhi_epi64(a, c),
                            _mm512_unpacklo_epi64(b, d), _mm512_unpackhi_epi64(b, d)};
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) {
    __m128i* const to = reinterpret_cast<__m128i*>(p + 4 * i);
    _mm_storeu_si128(to, _mm512_castsi512_si128(lanes[i]));
    _mm_storeu_si128(to + 4, _mm512_extracti32x4_epi32(lanes[i], 1));
    _mm_storeu_si128(to + 8, _mm512_extracti32x4_epi32(lanes[i], 2));
    _mm_storeu_si128(to + 12, _mm512_extracti32x4_epi32(lanes[i], 3));
  }
}
CONVMAT_INLINE void transpose(Vec<int32_t> (&rows)[16]) {
  Vec<float> bits[16];
  CONVMAT_UNROLL for (int i = 0; i < 16; ++i) bits[i].v = _mm512_castsi512_ps(rows[i].v);
  transpose(bits);
  CONVMAT_UNROLL for (int i = 0; i < 16; ++i) rows[i].v = _mm512_castps_si512(bits[i].v);
}

CONVMAT_INLINE void store_rounded(int32_t* p, Vec<double> a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtpd_epi32(a.v));
}

constexpr bool has_channels = true;

// Pixel i is int32 lane i, or its bytes are: channel c is byte c.
template <int C>
CONVMAT_INLINE void take_bytes(__m512i pixels, Vec<float> (&channels)[C]) {
  const __m512i byte = _mm512_set1_epi32(0xff);
  CONVMAT_UNROLL for (int c = 0; c < C; ++c) {
    channels[c].v =
        _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(pixels, static_cast<unsigned>(8 * c)), byte));
  }
}
template <int C>
CONVMAT_INLINE void load_channels(const uint8_t* p, Vec<float> (&channels)[C]) {
  if constexpr (C == 1) {
    channels[0].v = _mm512_cvtepi32_ps(load_bytes(p).v);
  } else if constexpr (C == 2) {
    take_bytes(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), channels);
  } else if constexpr (C == 3) {
    // Four pixels to each 16-byte lane, there four bytes to each of them.
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11, 0);
    const __m512i order = _mm512_set4_epi32(0x0f0b0a09, 0x0f080706, 0x0f050403, 0x0f020100);
    const __m512i bytes = _mm512_permutexvar_epi32(lanes, _mm512_maskz_loadu_epi32(0xfff, p));
    take_bytes(_mm512_shuffle_epi8(bytes, order), channels);
  } else {
    take_bytes(_mm512_loadu_si512(p), channels);
  }
}
template <int C>
CONVMAT_INLINE void load_channels(const uint16_t* p, Vec<float> (&channels)[C]) {
  if constexpr (C == 1) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    channels[0].v = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(words));
  } else if constexpr (C == 2) {
    const __m512i pixels = _mm512_loadu_si512(p);
    channels[0].v = _mm512_cvtepi32_ps(_mm512_and_si512(pixels, _mm512_set1_epi32(0xffff)));
    channels[1].v = _mm512_cvtepi32_ps(_mm512_srli_epi32(pixels, 16));
  } else {
    const __m512i low = _mm512_loadu_si512(p);
    const __m512i high =
        C == 4 ? _mm512_loadu_si512(p + 32)
               : _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32)));
    const __m512i pixel = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i first = _mm512_mullo_epi32(pixel, _mm512_set1_epi32(C));
    CONVMAT_UNROLL for (int c = 0; c < C; ++c) {
      const __m512i at = _mm512_add_epi32(first, _mm512_set1_epi32(c));
      channels[c].v = _mm512_cvtepi32_ps(_mm512_maskz_permutex2var_epi16(0x55555555u, low, at, high));
    }
  }
}
template <int C>
CONVMAT_INLINE void store_channels(uint8_t* p, const Vec<int32_t> (&channels)[C]) {
  if constexpr (C == 1) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(channels[0].v));
  } else if constexpr (C == 2) {
    const __m512i pixels = _mm512_or_si512(channels[0].v, _mm512_slli_epi32(channels[1].v, 8));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(pixels));
  } else if constexpr (C == 3) {
    const __m512i pixels = join_bytes(channels[0], channels[1], channels[2], zero<int32_t>()).v;
    const __m512i order = _mm512_set4_epi32(0x0f0f0f0f, 0x0e0d0c0a, 0x09080605, 0x04020100);
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 0, 0, 0, 0);
    _mm512_mask_storeu_epi32(p, 0xfff, _mm512_permutexvar_epi32(lanes, _mm512_shuffle_epi8(pixels, order)));
  } else {
    _mm512_storeu_si512(p, join_bytes(channels[0], channels[1], channels[2], channels[3]).v);
  }
}
template <int C>
CONVMAT_INLINE void store_channels(uint16_t* p, const Vec<int32_t> (&channels)[C]) {
  if constexpr (C == 1) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(channels[0].v));
    return;
  }
  const __m512i first = pair_words(channels[0], channels[C > 1 ? 1 : 0]).v;
  if constexpr (C == 2) {
    _mm512_storeu_si512(p, first);
  } else if constexpr (C == 3) {
    // Word w of the result is word w % 3 of pixel w / 3: the third comes from the other vector.
    struct Order {
      uint16_t at[48];
    };
    constexpr Order order = [] {
      Order words{};
      for (int w = 0; w < 48; ++w)
        words.at[w] = static_cast<uint16_t>(w % 3 < 2 ? w / 3 * 2 + w % 3 : 32 + w / 3 * 2);
      return words;
    }();
    const __m512i low = _mm512_loadu_si512(order.at);
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(order.at + 32));
    _mm512_storeu_si512(p, _mm512_permutex2var_epi16(first, low, channels[2].v));
    const __m512i rest = _mm512_permutex2var_epi16(first, _mm512_castsi256_si512(high), channels[2].v);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), _mm512_castsi512_si256(rest));
  } else {
    const __m512i second = pair_words(channels[2], channels[3]).v;
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    _mm512_storeu_si512(p, _mm512_permutex2var_epi32(first, low, second));
    _mm512_storeu_si512(p + 32, _mm512_permutex2var_epi32(first, high, second));
  }
}

template <typename T>
CONVMAT_INLINE Vec<T> keep(Vec<T> a) {
#if defined(__GNUC__)
  __asm__("" : "+v"(a.v));
#endif
  return a;
}

}  // namespace
}  // namespace convmat::avx512
