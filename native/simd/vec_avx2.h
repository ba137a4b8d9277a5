// Vector layer, AVX2 and FMA: 8 floats, 4 doubles. The same names in every vec_*.h; see vec_generic.h for
// what each one means.
#pragma once

#include <immintrin.h>

#include <cstdint>

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
CONVMAT_INLINE Mask<double> first_lanes<double>(int count) {
  return {_mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3))};
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
CONVMAT_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {_mm256_min_ps(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {_mm256_max_ps(a.v, b.v)}; }

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
CONVMAT_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {_mm256_min_pd(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {_mm256_max_pd(a.v, b.v)}; }

CONVMAT_INLINE float sum(Vec<float> a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
CONVMAT_INLINE double sum(Vec<double> a) {
  const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

}  // namespace
}  // namespace convmat::avx2
