// Vector layer, NEON of arm64: 4 floats, 2 doubles. The same names in every vec_*.h; see vec_generic.h for
// what each one means.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "simd/compiler.h"

namespace convmat::neon {
namespace {

template <typename T>
struct Vec;

template <>
struct Vec<float> {
  static constexpr int lanes = 4;
  float32x4_t v;
};
template <>
struct Vec<double> {
  static constexpr int lanes = 2;
  float64x2_t v;
};
template <>
struct Vec<int32_t> {
  static constexpr int lanes = 4;
  int32x4_t v;
};

// NEON has no masked access: partial loads and stores go lane by lane.
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
Vec<T> zero();

template <>
CONVMAT_INLINE Vec<float> zero<float>() {
  return {vdupq_n_f32(0)};
}
CONVMAT_INLINE Vec<float> broadcast(float a) { return {vdupq_n_f32(a)}; }
CONVMAT_INLINE Vec<float> load(const float* p) { return {vld1q_f32(p)}; }
CONVMAT_INLINE Vec<float> load(const float* p, Mask<float> mask) {
  float32x4_t v = vdupq_n_f32(0);
  if (mask.bits & 1) v = vld1q_lane_f32(p, v, 0);
  if (mask.bits & 2) v = vld1q_lane_f32(p + 1, v, 1);
  if (mask.bits & 4) v = vld1q_lane_f32(p + 2, v, 2);
  if (mask.bits & 8) v = vld1q_lane_f32(p + 3, v, 3);
  return {v};
}
CONVMAT_INLINE void store(float* p, Vec<float> a) { vst1q_f32(p, a.v); }
CONVMAT_INLINE void store(float* p, Mask<float> mask, Vec<float> a) {
  if (mask.bits & 1) vst1q_lane_f32(p, a.v, 0);
  if (mask.bits & 2) vst1q_lane_f32(p + 1, a.v, 1);
  if (mask.bits & 4) vst1q_lane_f32(p + 2, a.v, 2);
  if (mask.bits & 8) vst1q_lane_f32(p + 3, a.v, 3);
}
CONVMAT_INLINE Vec<float> add(Vec<float> a, Vec<float> b) { return {vaddq_f32(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> sub(Vec<float> a, Vec<float> b) { return {vsubq_f32(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> mul(Vec<float> a, Vec<float> b) { return {vmulq_f32(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
CONVMAT_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {vfmsq_f32(c.v, a.v, b.v)};
}
CONVMAT_INLINE Vec<float> min(Vec<float> a, Vec<float> b) {
  return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)};
}
CONVMAT_INLINE Vec<float> max(Vec<float> a, Vec<float> b) {
  return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)};
}
CONVMAT_INLINE Vec<float> div(Vec<float> a, Vec<float> b) { return {vdivq_f32(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> negate(Vec<float> a) { return {vnegq_f32(a.v)}; }
CONVMAT_INLINE Vec<float> square_root(Vec<float> a) { return {vsqrtq_f32(a.v)}; }
CONVMAT_INLINE Vec<float> round_even(Vec<float> a) { return {vrndnq_f32(a.v)}; }
CONVMAT_INLINE Vec<float> power_of_two(Vec<float> n) {
  const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(n.v), vdupq_n_s32(127));
  return {vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23))};
}
CONVMAT_INLINE Vec<float> if_less(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  return {vbslq_f32(vcltq_f32(a.v, b.v), yes.v, no.v)};
}
CONVMAT_INLINE Vec<float> if_equal(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  return {vbslq_f32(vceqq_f32(a.v, b.v), yes.v, no.v)};
}
CONVMAT_INLINE float sum(Vec<float> a) { return vaddvq_f32(a.v); }

template <>
CONVMAT_INLINE Vec<double> zero<double>() {
  return {vdupq_n_f64(0)};
}
CONVMAT_INLINE Vec<double> broadcast(double a) { return {vdupq_n_f64(a)}; }
CONVMAT_INLINE Vec<double> load(const double* p) { return {vld1q_f64(p)}; }
CONVMAT_INLINE Vec<double> load(const double* p, Mask<double> mask) {
  float64x2_t v = vdupq_n_f64(0);
  if (mask.bits & 1) v = vld1q_lane_f64(p, v, 0);
  if (mask.bits & 2) v = vld1q_lane_f64(p + 1, v, 1);
  return {v};
}
CONVMAT_INLINE void store(double* p, Vec<double> a) { vst1q_f64(p, a.v); }
CONVMAT_INLINE void store(double* p, Mask<double> mask, Vec<double> a) {
  if (mask.bits & 1) vst1q_lane_f64(p, a.v, 0);
  if (mask.bits & 2) vst1q_lane_f64(p + 1, a.v, 1);
}
CONVMAT_INLINE Vec<double> add(Vec<double> a, Vec<double> b) { return {vaddq_f64(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> sub(Vec<double> a, Vec<double> b) { return {vsubq_f64(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> mul(Vec<double> a, Vec<double> b) { return {vmulq_f64(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {vfmaq_f64(c.v, a.v, b.v)};
}
CONVMAT_INLINE Vec<double> fnma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {vfmsq_f64(c.v, a.v, b.v)};
}
CONVMAT_INLINE Vec<double> min(Vec<double> a, Vec<double> b) {
  return {vbslq_f64(vcltq_f64(a.v, b.v), a.v, b.v)};
}
CONVMAT_INLINE Vec<double> max(Vec<double> a, Vec<double> b) {
  return {vbslq_f64(vcgtq_f64(a.v, b.v), a.v, b.v)};
}
CONVMAT_INLINE Vec<double> div(Vec<double> a, Vec<double> b) { return {vdivq_f64(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> if_less(Vec<double> a, Vec<double> b, Vec<double> yes, Vec<double> no) {
  return {vbslq_f64(vcltq_f64(a.v, b.v), yes.v, no.v)};
}
CONVMAT_INLINE double sum(Vec<double> a) { return vaddvq_f64(a.v); }

template <int N>
CONVMAT_INLINE void store_first(float* p, Vec<float> a) {
  if constexpr (N == 4) return store(p, a);
  if constexpr (N >= 2) vst1_f32(p, vget_low_f32(a.v));
  if constexpr (N == 3) vst1q_lane_f32(p + 2, a.v, 2);
  if constexpr (N == 1) vst1q_lane_f32(p, a.v, 0);
}
template <int N>
CONVMAT_INLINE void store_first(double* p, Vec<double> a) {
  if constexpr (N == 2) {
    store(p, a);
  } else {
    vst1q_lane_f64(p, a.v, 0);
  }
}

CONVMAT_INLINE Vec<float> gather(const float* p, const int32_t* i) {
  float32x4_t v = vld1q_dup_f32(p + i[0]);
  v = vld1q_lane_f32(p + i[1], v, 1);
  v = vld1q_lane_f32(p + i[2], v, 2);
  return {vld1q_lane_f32(p + i[3], v, 3)};
}
CONVMAT_INLINE Vec<double> gather(const double* p, const int32_t* i) {
  return {vcombine_f64(vld1_f64(p + i[0]), vld1_f64(p + i[1]))};
}

CONVMAT_INLINE Vec<double> load_widened(const float* p) { return {vcvt_f64_f32(vld1_f32(p))}; }
CONVMAT_INLINE Vec<double> load_widened(const double* p) { return load(p); }
CONVMAT_INLINE Vec<double> load_widened(const int32_t* p) { return {vcvtq_f64_s64(vmovl_s32(vld1_s32(p)))}; }
CONVMAT_INLINE void store_narrowed(float* p, Vec<double> a) { vst1_f32(p, vcvt_f32_f64(a.v)); }
CONVMAT_INLINE void store_narrowed(double* p, Vec<double> a) { store(p, a); }

CONVMAT_INLINE Vec<float> load_even(const float* p, Mask<float> mask) {
  float32x4_t v = vdupq_n_f32(0);
  if (mask.bits & 1) v = vld1q_lane_f32(p, v, 0);
  if (mask.bits & 2) v = vld1q_lane_f32(p + 2, v, 1);
  if (mask.bits & 4) v = vld1q_lane_f32(p + 4, v, 2);
  if (mask.bits & 8) v = vld1q_lane_f32(p + 6, v, 3);
  return {v};
}
CONVMAT_INLINE Vec<double> load_even(const double* p, Mask<double> mask) {
  float64x2_t v = vdupq_n_f64(0);
  if (mask.bits & 1) v = vld1q_lane_f64(p, v, 0);
  if (mask.bits & 2) v = vld1q_lane_f64(p + 2, v, 1);
  return {v};
}

CONVMAT_INLINE void transpose(Vec<float> (&rows)[4]) {
  const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(rows[0].v, rows[1].v));
  const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(rows[0].v, rows[1].v));
  const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(rows[2].v, rows[3].v));
  const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(rows[2].v, rows[3].v));
  rows[0].v = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
  rows[1].v = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
  rows[2].v = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
  rows[3].v = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}
CONVMAT_INLINE void transpose(Vec<double> (&rows)[2]) {
  const float64x2_t first = vtrn1q_f64(rows[0].v, rows[1].v);
  rows[1].v = vtrn2q_f64(rows[0].v, rows[1].v);
  rows[0].v = first;
}

template <>
CONVMAT_INLINE Vec<int32_t> zero<int32_t>() {
  return {vdupq_n_s32(0)};
}
CONVMAT_INLINE Vec<int32_t> broadcast(int32_t a) { return {vdupq_n_s32(a)}; }
CONVMAT_INLINE Vec<int32_t> load(const int32_t* p) { return {vld1q_s32(p)}; }
CONVMAT_INLINE Vec<int32_t> load(const int32_t* p, Mask<int32_t> mask) {
  int32x4_t v = vdupq_n_s32(0);
  if (mask.bits & 1) v = vld1q_lane_s32(p, v, 0);
  if (mask.bits & 2) v = vld1q_lane_s32(p + 1, v, 1);
  if (mask.bits & 4) v = vld1q_lane_s32(p + 2, v, 2);
  if (mask.bits & 8) v = vld1q_lane_s32(p + 3, v, 3);
  return {v};
}
CONVMAT_INLINE void store(int32_t* p, Vec<int32_t> a) { vst1q_s32(p, a.v); }
CONVMAT_INLINE void store(int32_t* p, Mask<int32_t> mask, Vec<int32_t> a) {
  if (mask.bits & 1) vst1q_lane_s32(p, a.v, 0);
  if (mask.bits & 2) vst1q_lane_s32(p + 1, a.v, 1);
  if (mask.bits & 4) vst1q_lane_s32(p + 2, a.v, 2);
  if (mask.bits & 8) vst1q_lane_s32(p + 3, a.v, 3);
}
CONVMAT_INLINE Vec<int32_t> add(Vec<int32_t> a, Vec<int32_t> b) { return {vaddq_s32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> dot_pairs(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c) {
  const int16x8_t x = vreinterpretq_s16_s32(a.v), y = vreinterpretq_s16_s32(b.v);
  const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y)), high = vmull_high_s16(x, y);
  return {vaddq_s32(c.v, vpaddq_s32(low, high))};
}

CONVMAT_INLINE Vec<int32_t> sub(Vec<int32_t> a, Vec<int32_t> b) { return {vsubq_s32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> mul(Vec<int32_t> a, Vec<int32_t> b) { return {vmulq_s32(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> bits_xor(Vec<int32_t> a, Vec<int32_t> b) { return {veorq_s32(a.v, b.v)}; }

constexpr bool has_pick = false;

// With the dot product extension of ARMv8.2. Where the unit is not compiled for it, GCC's assembler takes the
// instruction all the same; that of Clang does not, and is given its code, made of the registers' numbers.
constexpr bool signed_quads = true;
constexpr bool has_dot_quads = true;
#if defined(__ARM_FEATURE_DOTPROD) || (defined(_MSC_VER) && !defined(__clang__))
CONVMAT_INLINE Vec<int32_t> dot_quads(Vec<int32_t> x, Vec<int32_t> w, Vec<int32_t> c) {
  return {vdotq_s32(c.v, vreinterpretq_s8_s32(x.v), vreinterpretq_s8_s32(w.v))};
}
#elif !defined(__clang__)
CONVMAT_INLINE Vec<int32_t> dot_quads(Vec<int32_t> x, Vec<int32_t> w, Vec<int32_t> c) {
  __asm__(".arch armv8.2-a+dotprod\n\tsdot %[c].4s, %[x].16b, %[w].16b"
          : [c] "+w"(c.v)
          : [x] "w"(x.v), [w] "w"(w.v));
  return c;
}
#else
  // Names that no symbol table keeps.
  #if defined(__APPLE__)
    #define CONVMAT_LOCAL "L"
  #else
    #define CONVMAT_LOCAL ".L"
  #endif
__asm__(
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    ".set " CONVMAT_LOCAL
    "number_of_v\\n, \\n\n"
    ".endr");
CONVMAT_INLINE Vec<int32_t> dot_quads(Vec<int32_t> x, Vec<int32_t> w, Vec<int32_t> c) {
  __asm__(".inst 0x4e809400 | " CONVMAT_LOCAL "number_of_%[w] << 16 | " CONVMAT_LOCAL
          "number_of_%[x] << 5 | " CONVMAT_LOCAL "number_of_%[c]"
          : [c] "+w"(c.v)
          : [x] "w"(x.v), [w] "w"(w.v));
  return c;
}
  #undef CONVMAT_LOCAL
#endif

CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p) {
  uint8x8_t bytes = vdup_n_u8(0);
  bytes = vld1_lane_u8(p, bytes, 0);
  bytes = vld1_lane_u8(p + 1, bytes, 1);
  bytes = vld1_lane_u8(p + 2, bytes, 2);
  bytes = vld1_lane_u8(p + 3, bytes, 3);
  return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))))};
}
CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p, int count) {
  uint8_t whole[4] = {};
  for (int i = 0; i < count; ++i) whole[i] = p[i];
  return load_bytes(whole);
}
CONVMAT_INLINE Vec<int32_t> pair_words(Vec<int32_t> even, Vec<int32_t> odd) {
  return {vsliq_n_s32(even.v, odd.v, 16)};
}
CONVMAT_INLINE Vec<int32_t> join_bytes(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c, Vec<int32_t> d) {
  const int16x8_t even = vreinterpretq_s16_s32(vsliq_n_s32(a.v, c.v, 16));
  const int16x8_t odd = vreinterpretq_s16_s32(vsliq_n_s32(b.v, d.v, 16));
  return {vreinterpretq_s32_s16(vsliq_n_s16(even, odd, 8))};
}
// Of 4 x 4 bytes.
CONVMAT_INLINE uint8x16_t byte_transpose() {
  alignas(16) static constexpr uint8_t order[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  return vld1q_u8(order);
}
CONVMAT_INLINE Vec<int32_t> scale_to_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                           int32_t zero_point) {
  const float64x2_t m_low = vld1q_f64(multipliers), m_high = vld1q_f64(multipliers + 2);
  const auto round = [&](int64x2_t sums, float64x2_t m) {
    return vqmovn_s64(vcvtnq_s64_f64(vmulq_f64(vcvtq_f64_s64(sums), m)));
  };
  int16x4_t rounded[4];
  CONVMAT_UNROLL for (int k = 0; k < 4; ++k) {
    const int32x2_t low = round(vmovl_s32(vget_low_s32(a[k].v)), m_low);
    rounded[k] = vqmovn_s32(vcombine_s32(low, round(vmovl_high_s32(a[k].v), m_high)));
  }
  const int16x8_t zero = vdupq_n_s16(static_cast<int16_t>(zero_point));
  const uint8x8_t low = vqmovun_s16(vqaddq_s16(vcombine_s16(rounded[0], rounded[1]), zero));
  const uint8x8_t high = vqmovun_s16(vqaddq_s16(vcombine_s16(rounded[2], rounded[3]), zero));
  return {vreinterpretq_s32_u8(vqtbl1q_u8(vcombine_u8(low, high), byte_transpose()))};
}
CONVMAT_INLINE Vec<int32_t> guess_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                        int32_t zero_point, bool* sure) {
  *sure = true;
  return scale_to_bytes(a, multipliers, zero_point);
}
CONVMAT_INLINE Vec<float> to_float(Vec<int32_t> a) { return {vcvtq_f32_s32(a.v)}; }
CONVMAT_INLINE Vec<float> fma_once(Vec<float> a, Vec<float> b, Vec<float> c) { return fma(a, b, c); }
// NaN becomes the least of bytes, as elsewhere.
CONVMAT_INLINE Vec<int32_t> round_to_bytes(const Vec<float> (&a)[4], int32_t zero_point) {
  const float32x4_t least = vdupq_n_f32(-1024);
  const auto round = [&](float32x4_t v) { return vqmovn_s32(vcvtnq_s32_f32(vmaxnmq_f32(v, least))); };
  const int16x8_t zero = vdupq_n_s16(static_cast<int16_t>(zero_point));
  const uint8x8_t low = vqmovun_s16(vqaddq_s16(vcombine_s16(round(a[0].v), round(a[1].v)), zero));
  const uint8x8_t high = vqmovun_s16(vqaddq_s16(vcombine_s16(round(a[2].v), round(a[3].v)), zero));
  return {vreinterpretq_s32_u8(vqtbl1q_u8(vcombine_u8(low, high), byte_transpose()))};
}
CONVMAT_INLINE void store_split(uint8_t* p, Vec<int32_t> words) {
  vst1q_u8(p, vqtbl1q_u8(vreinterpretq_u8_s32(words.v), byte_transpose()));
}
CONVMAT_INLINE void transpose(Vec<int32_t> (&rows)[4]) {
  Vec<float> bits[4];
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) bits[i].v = vreinterpretq_f32_s32(rows[i].v);
  transpose(bits);
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) rows[i].v = vreinterpretq_s32_f32(bits[i].v);
}
CONVMAT_INLINE void store_bytes(uint8_t* p, Vec<int32_t> bytes, int first, int count) {
  uint8_t all[4 * Vec<int32_t>::lanes];
  store(reinterpret_cast<int32_t*>(all), bytes);
  for (int i = 0; i < count; ++i) p[i] = all[first + i];
}
CONVMAT_INLINE void store_lanes(int32_t* p, const Vec<int32_t> (&rows)[4]) {
  Vec<int32_t> lanes[4] = {rows[0], rows[1], rows[2], rows[3]};
  transpose(lanes);
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) store(p + 4 * i, lanes[i]);
}

CONVMAT_INLINE void store_rounded(int32_t* p, Vec<double> a) { vst1_s32(p, vmovn_s64(vcvtnq_s64_f64(a.v))); }

// Compilers find the loads and stores of interleaved structures by themselves.
constexpr bool has_channels = false;

template <typename T>
CONVMAT_INLINE Vec<T> keep(Vec<T> a) {
#if defined(__GNUC__)
  __asm__("" : "+w"(a.v));
#endif
  return a;
}

}  // namespace
}  // namespace convmat::neon
