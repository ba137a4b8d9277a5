// Vector layer, AVX2 and FMA: 8 floats, 4 doubles. The same names in every vec_*.h; see vec_generic.h for
// what each one means.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "simd/byte_order.h"
#include "simd/compiler.h"

namespace convmat::avx2 {
namespace {

template <typename T>
struct Vec;

template <>
struct Vec<float> {
  static constexpr int lanes = 8;
  __m256 v;
};
template <>
struct Vec<double> {
  static constexpr int lanes = 4;
  __m256d v;
};
template <>
struct Vec<int32_t> {
  static constexpr int lanes = 8;
  __m256i v;
};

// All ones in the lanes that count.
template <typename T>
struct Mask {
  __m256i m;
};

// vmaskmov stores take a dozen cycles on AMD's cores.
constexpr bool free_masks = false;

template <typename T>
Mask<T> first_lanes(int count);

template <>
CONVMAT_INLINE Mask<float> first_lanes<float>(int count) {
  return {_mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))};
}
template <>
CONVMAT_INLINE Mask<int32_t> first_lanes<int32_t>(int count) {
  return {first_lanes<float>(count).m};
}
template <>
CONVMAT_INLINE Mask<double> first_lanes<double>(int count) {
  return {_mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3))};
}

template <typename T>
Mask<T> mask_of(uint32_t bits);

template <>
CONVMAT_INLINE Mask<float> mask_of<float>(uint32_t bits) {
  const __m256i lane_bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return {
      _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane_bit), lane_bit)};
}
template <>
CONVMAT_INLINE Mask<double> mask_of<double>(uint32_t bits) {
  const __m256i lane_bit = _mm256_setr_epi64x(1, 2, 4, 8);
  return {_mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(bits), lane_bit), lane_bit)};
}

template <typename T>
Vec<T> zero();

template <>
CONVMAT_INLINE Vec<float> zero<float>() {
  return {_mm256_setzero_ps()};
}
CONVMAT_INLINE Vec<float> broadcast(float a) { return {_mm256_set1_ps(a)}; }
CONVMAT_INLINE Vec<float> load(const float* p) { return {_mm256_loadu_ps(p)}; }
CONVMAT_INLINE Vec<float> load(const float* p, Mask<float> mask) { return {_mm256_maskload_ps(p, mask.m)}; }
CONVMAT_INLINE void store(float* p, Vec<float> a) { _mm256_storeu_ps(p, a.v); }
CONVMAT_INLINE void store(float* p, Mask<float> mask, Vec<float> a) { _mm256_maskstore_ps(p, mask.m, a.v); }
CONVMAT_INLINE Vec<float> add(Vec<float> a, Vec<float> b) { return {_mm256_add_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> sub(Vec<float> a, Vec<float> b) { return {_mm256_sub_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> mul(Vec<float> a, Vec<float> b) { return {_mm256_mul_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
CONVMAT_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {_mm256_fnmadd_ps(a.v, b.v, c.v)};
}
CONVMAT_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {_mm256_min_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {_mm256_max_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> div(Vec<float> a, Vec<float> b) { return {_mm256_div_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> negate(Vec<float> a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
CONVMAT_INLINE Vec<float> square_root(Vec<float> a) { return {_mm256_sqrt_ps(a.v)}; }
CONVMAT_INLINE Vec<float> round_even(Vec<float> a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
CONVMAT_INLINE Vec<float> power_of_two(Vec<float> n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23))};
}
CONVMAT_INLINE Vec<float> if_less(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
CONVMAT_INLINE Vec<float> if_equal(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ))};
}

template <>
CONVMAT_INLINE Vec<double> zero<double>() {
  return {_mm256_setzero_pd()};
}
CONVMAT_INLINE Vec<double> broadcast(double a) { return {_mm256_set1_pd(a)}; }
CONVMAT_INLINE Vec<double> load(const double* p) { return {_mm256_loadu_pd(p)}; }
CONVMAT_INLINE Vec<double> load(const double* p, Mask<double> mask) {
  return {_mm256_maskload_pd(p, mask.m)};
}
CONVMAT_INLINE void store(double* p, Vec<double> a) { _mm256_storeu_pd(p, a.v); }
CONVMAT_INLINE void store(double* p, Mask<double> mask, Vec<double> a) {
  _mm256_maskstore_pd(p, mask.m, a.v);
}
CONVMAT_INLINE Vec<double> add(Vec<double> a, Vec<double> b) { return {_mm256_add_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> sub(Vec<double> a, Vec<double> b) { return {_mm256_sub_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> mul(Vec<double> a, Vec<double> b) { return {_mm256_mul_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm256_fmadd_pd(a.v, b.v, c.v)};
}
CONVMAT_INLINE Vec<double> fnma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm256_fnmadd_pd(a.v, b.v, c.v)};
}
CONVMAT_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {_mm256_min_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {_mm256_max_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> div(Vec<double> a, Vec<double> b) { return {_mm256_div_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> if_less(Vec<double> a, Vec<double> b, Vec<double> yes, Vec<double> no) {
  return {_mm256_blendv_pd(no.v, yes.v, _mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ))};
}

CONVMAT_INLINE float sum(Vec<float> a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
CONVMAT_INLINE double sum(Vec<double> a) {
  const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

// By halves, since a masked store is slow.
template <int N>
CONVMAT_INLINE void store_first(float* p, Vec<float> a) {
  if constexpr (N == 8) return store(p, a);
  __m128 rest = _mm256_castps256_ps128(a.v);
  if constexpr (N >= 4) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps(a.v, 1);
    p += 4;
  }
  if constexpr ((N & 2) != 0) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if constexpr ((N & 1) != 0) _mm_store_ss(p, rest);
}
template <int N>
CONVMAT_INLINE void store_first(double* p, Vec<double> a) {
  if constexpr (N == 4) return store(p, a);
  __m128d rest = _mm256_castpd256_pd128(a.v);
  if constexpr (N >= 2) {
    _mm_storeu_pd(p, rest);
    rest = _mm256_extractf128_pd(a.v, 1);
    p += 2;
  }
  if constexpr ((N & 1) != 0) _mm_store_sd(p, rest);
}

// One by one: gathering instructions are slower on AMD's cores, and on Intel's that are patched
// (INTEL-SA-00828).
CONVMAT_INLINE Vec<float> gather(const float* p, const int32_t* i) {
  return {_mm256_setr_ps(p[i[0]], p[i[1]], p[i[2]], p[i[3]], p[i[4]], p[i[5]], p[i[6]], p[i[7]])};
}
CONVMAT_INLINE Vec<double> gather(const double* p, const int32_t* i) {
  return {_mm256_setr_pd(p[i[0]], p[i[1]], p[i[2]], p[i[3]])};
}

CONVMAT_INLINE Vec<double> load_widened(const float* p) { return {_mm256_cvtps_pd(_mm_loadu_ps(p))}; }
CONVMAT_INLINE Vec<double> load_widened(const double* p) { return load(p); }
CONVMAT_INLINE Vec<double> load_widened(const int32_t* p) {
  return {_mm256_cvtepi32_pd(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
CONVMAT_INLINE void store_narrowed(float* p, Vec<double> a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a.v)); }
CONVMAT_INLINE void store_narrowed(double* p, Vec<double> a) { store(p, a); }

CONVMAT_INLINE Vec<float> load_even(const float* p, Mask<float> mask) {
  const __m256i pairs_low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(mask.m));
  const __m256i pairs_high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(mask.m, 1));
  const __m256i first_of_pair = _mm256_set1_epi64x(0xffffffff);
  const __m256 low = _mm256_maskload_ps(p, _mm256_and_si256(pairs_low, first_of_pair));
  const __m256 high = _mm256_maskload_ps(p + 8, _mm256_and_si256(pairs_high, first_of_pair));
  const __m256 even = _mm256_shuffle_ps(low, high, 0x88);  // 0 2 8 10 | 4 6 12 14
  return {_mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(even), 0xd8))};
}
CONVMAT_INLINE Vec<double> load_even(const double* p, Mask<double> mask) {
  const __m256i mask_low =
      _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(mask.m, _mm256_setzero_si256()), 0x44);
  const __m256i mask_high =
      _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(mask.m, _mm256_setzero_si256()), 0x44);
  // unpacklo gives lanes 0 . 2 . and unpackhi 1 . 3 ., so pick 0, 1 for the first load and 2, 3 for the
  // second.
  const __m256i first = _mm256_blend_epi32(mask_low, mask_high, 0xf0);
  const __m256i second = _mm256_blend_epi32(
      _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(mask.m, _mm256_setzero_si256()), 0xee),
      _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(mask.m, _mm256_setzero_si256()), 0xee), 0xf0);
  const __m256d low = _mm256_maskload_pd(p, first), high = _mm256_maskload_pd(p + 4, second);
  return {_mm256_permute4x64_pd(_mm256_unpacklo_pd(low, high), 0xd8)};
}

CONVMAT_INLINE void transpose(Vec<float> (&rows)[8]) {
  __m256 a[8], b[8];
  CONVMAT_UNROLL for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_ps(rows[i].v, rows[i + 1].v);
    a[i + 1] = _mm256_unpackhi_ps(rows[i].v, rows[i + 1].v);
  }
  CONVMAT_UNROLL for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) {
    rows[i].v = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
    rows[i + 4].v = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
  }
}
CONVMAT_INLINE void transpose(Vec<double> (&rows)[4]) {
  const __m256d a = _mm256_unpacklo_pd(rows[0].v, rows[1].v), b = _mm256_unpackhi_pd(rows[0].v, rows[1].v);
  const __m256d c = _mm256_unpacklo_pd(rows[2].v, rows[3].v), d = _mm256_unpackhi_pd(rows[2].v, rows[3].v);
  rows[0].v = _mm256_permute2f128_pd(a, c, 0x20);
  rows[1].v = _mm256_permute2f128_pd(b, d, 0x20);
  rows[2].v = _mm256_permute2f128_pd(a, c, 0x31);
  rows[3].v = _mm256_permute2f128_pd(b, d, 0x31);
}

template <>
CONVMAT_INLINE Vec<int32_t> zero<int32_t>() {
  return {_mm256_setzero_si256()};
}
CONVMAT_INLINE Vec<int32_t> broadcast(int32_t a) { return {_mm256_set1_epi32(a)}; }
CONVMAT_INLINE Vec<int32_t> load(const int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
CONVMAT_INLINE Vec<int32_t> load(const int32_t* p, Mask<int32_t> mask) {
  return {_mm256_maskload_epi32(p, mask.m)};
}
CONVMAT_INLINE void store(int32_t* p, Vec<int32_t> a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v);
}
CONVMAT_INLINE void store(int32_t* p, Mask<int32_t> mask, Vec<int32_t> a) {
  _mm256_maskstore_epi32(p, mask.m, a.v);
}
CONVMAT_INLINE Vec<int32_t> add(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_add_epi32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> dot_pairs(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c) {
  return {_mm256_add_epi32(c.v, _mm256_madd_epi16(a.v, b.v))};
}

CONVMAT_INLINE Vec<int32_t> sub(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_sub_epi32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> mul(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> bits_xor(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_xor_si256(a.v, b.v)}; }

constexpr bool has_pick = false;

// vpmaddubsw would saturate its sums of two products.
constexpr bool has_dot_quads = false, signed_quads = false;

CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p) {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p, int count) {
  alignas(8) uint8_t whole[8] = {};
  for (int i = 0; i < count; ++i) whole[i] = p[i];
  return load_bytes(whole);
}
CONVMAT_INLINE Vec<int32_t> pair_words(Vec<int32_t> even, Vec<int32_t> odd) {
  return {_mm256_blend_epi16(even.v, _mm256_slli_epi32(odd.v, 16), 0xaa)};
}
CONVMAT_INLINE Vec<int32_t> join_bytes(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c, Vec<int32_t> d) {
  const __m256i even = _mm256_and_si256(pair_words(a, c).v, _mm256_set1_epi16(0xff));
  return {_mm256_or_si256(even, _mm256_slli_epi16(pair_words(b, d).v, 8))};
}
CONVMAT_INLINE Vec<int32_t> pack_rounded(const __m256i (&rounded)[4], int32_t zero_point) {
  const __m256i zero = _mm256_set1_epi16(static_cast<int16_t>(zero_point));
  const __m256i even = _mm256_adds_epi16(_mm256_packs_epi32(rounded[0], rounded[1]), zero);
  const __m256i odd = _mm256_adds_epi16(_mm256_packs_epi32(rounded[2], rounded[3]), zero);
  // Four bytes of each a[k] in each 16-byte lane.
  const __m256i order = _mm256_setr_epi32(0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703, 0x0c080400,
                                          0x0d090501, 0x0e0a0602, 0x0f0b0703);
  return {_mm256_shuffle_epi8(_mm256_packus_epi16(even, odd), order)};
}
// Packing saturates; what is too small for int32 becomes its least value, but what is too large does, too.
CONVMAT_INLINE Vec<int32_t> scale_to_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                           int32_t zero_point) {
  const __m256d most = _mm256_set1_pd(1024);
  const __m256d m_low = _mm256_loadu_pd(multipliers), m_high = _mm256_loadu_pd(multipliers + 4);
  const auto round = [&](__m128i sums, __m256d m) {
    return _mm256_cvtpd_epi32(_mm256_min_pd(_mm256_mul_pd(_mm256_cvtepi32_pd(sums), m), most));
  };
  __m256i rounded[4];
  CONVMAT_UNROLL for (int k = 0; k < 4; ++k) {
    const __m128i low = round(_mm256_castsi256_si128(a[k].v), m_low);
    const __m128i high = round(_mm256_extracti128_si256(a[k].v, 1), m_high);
    rounded[k] = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
  }
  return pack_rounded(rounded, zero_point);
}
CONVMAT_INLINE Vec<int32_t> guess_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                        int32_t zero_point, bool* sure) {
  *sure = true;
  return scale_to_bytes(a, multipliers, zero_point);
}
CONVMAT_INLINE Vec<float> to_float(Vec<int32_t> a) { return {_mm256_cvtepi32_ps(a.v)}; }
CONVMAT_INLINE Vec<float> fma_once(Vec<float> a, Vec<float> b, Vec<float> c) { return fma(a, b, c); }
CONVMAT_INLINE Vec<int32_t> round_to_bytes(const Vec<float> (&a)[4], int32_t zero_point) {
  // A NaN in the second operand of the minimum comes through, and becomes int32's least value.
  const __m256 most = _mm256_set1_ps(1024);
  __m256i rounded[4];
  CONVMAT_UNROLL for (int k = 0; k < 4; ++k) { rounded[k] = _mm256_cvtps_epi32(_mm256_min_ps(most, a[k].v)); }
  return pack_rounded(rounded, zero_point);
}
CONVMAT_INLINE void store_split(uint8_t* p, Vec<int32_t> words) {
  const __m256i order = _mm256_setr_epi32(0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703, 0x0c080400,
                                          0x0d090501, 0x0e0a0602, 0x0f0b0703);
  const __m256i lanes = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(words.v, order), lanes));
}
CONVMAT_INLINE void store_bytes(uint8_t* p, Vec<int32_t> bytes, int first, int count) {
  uint8_t all[4 * Vec<int32_t>::lanes];
  store(reinterpret_cast<int32_t*>(all), bytes);
  for (int i = 0; i < count; ++i) p[i] = all[first + i];
}
CONVMAT_INLINE void store_lanes(int32_t* p, const Vec<int32_t> (&rows)[4]) {
  const __m256i a = _mm256_unpacklo_epi32(rows[0].v, rows[1].v),
                b = _mm256_unpackhi_epi32(rows[0].v, rows[1].v);
  const __m256i c = _mm256_unpacklo_epi32(rows[2].v, rows[3].v),
                d = _mm256_unpackhi_epi32(rows[2].v, rows[3].v);
  const __m256i lanes[4] = {_mm256_unpacklo_epi64(a, c), _mm256_unpackhi_epi64(a, c),
                            _mm256_unpacklo_epi64(b, d), _mm256_unpackhi_epi64(b, d)};
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) {
    __m128i* const to = reinterpret_cast<__m128i*>(p + 4 * i);
    _mm_storeu_si128(to, _mm256_castsi256_si128(lanes[i]));
    _mm_storeu_si128(to + 4, _mm256_extracti128_si256(lanes[i], 1));
  }
}
CONVMAT_INLINE void transpose(Vec<int32_t> (&rows)[8]) {
  Vec<float> bits[8];
  CONVMAT_UNROLL for (int i = 0; i < 8; ++i) bits[i].v = _mm256_castsi256_ps(rows[i].v);
  transpose(bits);
  CONVMAT_UNROLL for (int i = 0; i < 8; ++i) rows[i].v = _mm256_castps_si256(bits[i].v);
}

CONVMAT_INLINE void store_rounded(int32_t* p, Vec<double> a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtpd_epi32(a.v));
}

constexpr bool has_channels = true;

// In each half.
CONVMAT_INLINE __m256i reordered(__m256i a, const ByteOrder& order) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(order.at));
  return _mm256_shuffle_epi8(a, _mm256_broadcastsi128_si256(half));
}
CONVMAT_INLINE __m256i halves(__m128i low, __m128i high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}
CONVMAT_INLINE __m128i load_half(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
CONVMAT_INLINE void store_half(void* p, __m128i a) { _mm_storeu_si128(static_cast<__m128i*>(p), a); }
CONVMAT_INLINE void store_quarter(void* p, __m128i a) { _mm_storel_epi64(static_cast<__m128i*>(p), a); }
// Lanes of up to 65535, as words.
CONVMAT_INLINE __m128i narrowed(__m256i a) {
  return _mm_packus_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}

// Pixel i is int32 lane i, or its bytes are: channel c is byte c.
template <int C>
CONVMAT_INLINE void take_bytes(__m256i pixels, Vec<float> (&channels)[C]) {
  CONVMAT_UNROLL for (int c = 0; c < C; ++c) {
    const __m256i values = _mm256_and_si256(_mm256_srli_epi32(pixels, 8 * c), _mm256_set1_epi32(0xff));
    channels[c].v = _mm256_cvtepi32_ps(values);
  }
}
template <int C>
CONVMAT_INLINE void load_channels(const uint8_t* p, Vec<float> (&channels)[C]) {
  if constexpr (C == 1) {
    channels[0].v = _mm256_cvtepi32_ps(load_bytes(p).v);
  } else if constexpr (C == 2) {
    take_bytes(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), channels);
  } else if constexpr (C == 3) {
    // 24 bytes, of which the second load has the last 16.
    const __m256i pixels = halves(load_half(p), _mm_srli_si128(load_half(p + 8), 4));
    static constexpr ChannelOrders orders = channel_orders(1, 3, 0);
    CONVMAT_UNROLL for (int c = 0; c < 3; ++c) {
      channels[c].v = _mm256_cvtepi32_ps(reordered(pixels, orders.of[c]));
    }
  } else {
    take_bytes(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), channels);
  }
}
template <int C>
CONVMAT_INLINE void load_channels(const uint16_t* p, Vec<float> (&channels)[C]) {
  if constexpr (C == 1) {
    channels[0].v =
        _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  } else if constexpr (C == 2) {
    const __m256i pixels = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    channels[0].v = _mm256_cvtepi32_ps(_mm256_and_si256(pixels, _mm256_set1_epi32(0xffff)));
    channels[1].v = _mm256_cvtepi32_ps(_mm256_srli_epi32(pixels, 16));
  } else {
    // The four pixels of each half are more than 16 bytes: the first and the last of them. What both hold,
    // both give.
    constexpr int rest = 4 * C - 8;
    const __m256i first = halves(load_half(p), load_half(p + 4 * C));
    const __m256i last = halves(load_half(p + rest), load_half(p + 4 * C + rest));
    static constexpr ChannelOrders of_first = channel_orders(2, C, 0),
                                   of_last = channel_orders(2, C, 2 * rest);
    CONVMAT_UNROLL for (int c = 0; c < C; ++c) {
      const __m256i values =
          _mm256_or_si256(reordered(first, of_first.of[c]), reordered(last, of_last.of[c]));
      channels[c].v = _mm256_cvtepi32_ps(values);
    }
  }
}
template <int C>
CONVMAT_INLINE void store_channels(uint8_t* p, const Vec<int32_t> (&channels)[C]) {
  if constexpr (C == 1) {
    const __m128i words = narrowed(channels[0].v);
    store_quarter(p, _mm_packus_epi16(words, words));
  } else if constexpr (C == 2) {
    store_half(p, narrowed(_mm256_or_si256(channels[0].v, _mm256_slli_epi32(channels[1].v, 8))));
  } else if constexpr (C == 3) {
    const __m256i pixels = join_bytes(channels[0], channels[1], channels[2], zero<int32_t>()).v;
    static constexpr ByteOrder order = pixel_order(1, 3, 0, 2, 0);
    const __m256i bytes = reordered(pixels, order);
    const __m128i upper = _mm256_extracti128_si256(bytes, 1);
    store_half(p, _mm_or_si128(_mm256_castsi256_si128(bytes), _mm_slli_si128(upper, 12)));
    store_quarter(p + 16, _mm_srli_si128(upper, 4));
  } else {
    store(reinterpret_cast<int32_t*>(p), join_bytes(channels[0], channels[1], channels[2], channels[3]));
  }
}
template <int C>
CONVMAT_INLINE void store_channels(uint16_t* p, const Vec<int32_t> (&channels)[C]) {
  if constexpr (C == 1) {
    store_half(p, narrowed(channels[0].v));
    return;
  }
  const __m256i first = pair_words(channels[0], channels[C > 1 ? 1 : 0]).v;
  if constexpr (C == 2) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), first);
  } else if constexpr (C == 3) {
    // 24 bytes of each half.
    static constexpr ByteOrder pairs[2] = {pixel_order(2, 3, 0, 1, 0), pixel_order(2, 3, 0, 1, 16)};
    static constexpr ByteOrder thirds[2] = {pixel_order(2, 3, 2, 2, 0), pixel_order(2, 3, 2, 2, 16)};
    const __m256i begin = _mm256_or_si256(reordered(first, pairs[0]), reordered(channels[2].v, thirds[0]));
    const __m256i end = _mm256_or_si256(reordered(first, pairs[1]), reordered(channels[2].v, thirds[1]));
    store_half(p, _mm256_castsi256_si128(begin));
    store_quarter(p + 8, _mm256_castsi256_si128(end));
    store_half(p + 12, _mm256_extracti128_si256(begin, 1));
    store_quarter(p + 20, _mm256_extracti128_si256(end, 1));
  } else {
    const __m256i second = pair_words(channels[2], channels[3]).v;
    const __m256i low = _mm256_unpacklo_epi32(first, second), high = _mm256_unpackhi_epi32(first, second);
    store_half(p, _mm256_castsi256_si128(low));
    store_half(p + 8, _mm256_castsi256_si128(high));
    store_half(p + 16, _mm256_extracti128_si256(low, 1));
    store_half(p + 24, _mm256_extracti128_si256(high, 1));
  }
}

template <typename T>
CONVMAT_INLINE Vec<T> keep(Vec<T> a) {
#if defined(__GNUC__)
  __asm__("" : "+x"(a.v));
#endif
  return a;
}

}  // namespace
}  // namespace convmat::avx2
