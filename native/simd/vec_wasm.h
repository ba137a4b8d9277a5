// Vector layer, WebAssembly's 128 bits: 4 floats, 2 doubles. The same names in every vec_*.h; see
// vec_generic.h for what each one means.
#pragma once

#include <wasm_simd128.h>

#include <cstdint>

#include "simd/byte_order.h"
#include "simd/compiler.h"

namespace convmat::CONVMAT_ISA {
namespace {

template <typename T>
struct Vec {
  static constexpr int lanes = 16 / sizeof(T);
  v128_t v;
};

// All bits of a lane or none. Masked access is to whole vectors, of which the other lanes are thrown away, or
// written as they were: there is one thread, and memory goes on behind all that is in use (wasm/memory.h).
template <typename T>
struct Mask {
  v128_t lanes;
};

constexpr bool free_masks = false;

template <typename T>
CONVMAT_INLINE Mask<T> first_lanes(int count) {
  if constexpr (sizeof(T) == 8) return {wasm_i64x2_gt(wasm_i64x2_splat(count), wasm_i64x2_const(0, 1))};
  return {wasm_i32x4_gt(wasm_i32x4_splat(count), wasm_i32x4_const(0, 1, 2, 3))};
}
template <typename T>
CONVMAT_INLINE Mask<T> mask_of(uint32_t bits) {
  if constexpr (sizeof(T) == 8) {
    const v128_t places = wasm_i64x2_const(1, 2);
    return {wasm_i64x2_eq(wasm_v128_and(wasm_i64x2_splat(bits), places), places)};
  }
  const v128_t places = wasm_i32x4_const(1, 2, 4, 8);
  return {wasm_i32x4_eq(wasm_v128_and(wasm_i32x4_splat(static_cast<int32_t>(bits)), places), places)};
}

template <typename T>
CONVMAT_INLINE Vec<T> zero() {
  return {wasm_i32x4_const(0, 0, 0, 0)};
}
CONVMAT_INLINE Vec<float> broadcast(float a) { return {wasm_f32x4_splat(a)}; }
CONVMAT_INLINE Vec<double> broadcast(double a) { return {wasm_f64x2_splat(a)}; }
CONVMAT_INLINE Vec<int32_t> broadcast(int32_t a) { return {wasm_i32x4_splat(a)}; }

template <typename T>
CONVMAT_INLINE Vec<T> load(const T* p) {
  return {wasm_v128_load(p)};
}
template <typename T>
CONVMAT_INLINE Vec<T> load(const T* p, Mask<T> mask) {
  return {wasm_v128_and(wasm_v128_load(p), mask.lanes)};
}
template <typename T>
CONVMAT_INLINE void store(T* p, Vec<T> a) {
  wasm_v128_store(p, a.v);
}
template <typename T>
CONVMAT_INLINE void store(T* p, Mask<T> mask, Vec<T> a) {
  wasm_v128_store(p, wasm_v128_bitselect(a.v, wasm_v128_load(p), mask.lanes));
}
template <int N, typename T>
CONVMAT_INLINE void store_first(T* p, Vec<T> a) {
  if constexpr (N == Vec<T>::lanes) {
    store(p, a);
  } else if constexpr (sizeof(T) == 8) {
    wasm_v128_store64_lane(p, a.v, 0);
  } else {
    if constexpr (N >= 2) wasm_v128_store64_lane(p, a.v, 0);
    if constexpr (N == 3) wasm_v128_store32_lane(p + 2, a.v, 2);
    if constexpr (N == 1) wasm_v128_store32_lane(p, a.v, 0);
  }
}

CONVMAT_INLINE Vec<float> add(Vec<float> a, Vec<float> b) { return {wasm_f32x4_add(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> add(Vec<double> a, Vec<double> b) { return {wasm_f64x2_add(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> add(Vec<int32_t> a, Vec<int32_t> b) { return {wasm_i32x4_add(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> sub(Vec<float> a, Vec<float> b) { return {wasm_f32x4_sub(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> sub(Vec<double> a, Vec<double> b) { return {wasm_f64x2_sub(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> sub(Vec<int32_t> a, Vec<int32_t> b) { return {wasm_i32x4_sub(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> mul(Vec<float> a, Vec<float> b) { return {wasm_f32x4_mul(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> mul(Vec<double> a, Vec<double> b) { return {wasm_f64x2_mul(a.v, b.v)}; }
CONVMAT_INLINE Vec<int32_t> mul(Vec<int32_t> a, Vec<int32_t> b) { return {wasm_i32x4_mul(a.v, b.v)}; }

// The relaxed instructions round once where the machine under them does. scripts/wasm/plain.mjs writes
// products and sums in their place, which round twice everywhere, and which lib/backend/wasm/relaxed.ts turns
// back where the relaxed instructions are known.
typedef float FloatLanes __attribute__((vector_size(16)));
typedef double DoubleLanes __attribute__((vector_size(16)));
CONVMAT_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {(v128_t)__builtin_wasm_relaxed_madd_f32x4((FloatLanes)a.v, (FloatLanes)b.v, (FloatLanes)c.v)};
}
CONVMAT_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {(v128_t)__builtin_wasm_relaxed_madd_f64x2((DoubleLanes)a.v, (DoubleLanes)b.v, (DoubleLanes)c.v)};
}
CONVMAT_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return {(v128_t)__builtin_wasm_relaxed_nmadd_f32x4((FloatLanes)a.v, (FloatLanes)b.v, (FloatLanes)c.v)};
}
CONVMAT_INLINE Vec<double> fnma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {(v128_t)__builtin_wasm_relaxed_nmadd_f64x2((DoubleLanes)a.v, (DoubleLanes)b.v, (DoubleLanes)c.v)};
}

// pmin(a, b) is b where b < a, else a.
CONVMAT_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {wasm_f32x4_pmin(b.v, a.v)}; }
CONVMAT_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {wasm_f64x2_pmin(b.v, a.v)}; }
CONVMAT_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {wasm_f32x4_pmax(b.v, a.v)}; }
CONVMAT_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {wasm_f64x2_pmax(b.v, a.v)}; }

CONVMAT_INLINE Vec<float> div(Vec<float> a, Vec<float> b) { return {wasm_f32x4_div(a.v, b.v)}; }
CONVMAT_INLINE Vec<double> div(Vec<double> a, Vec<double> b) { return {wasm_f64x2_div(a.v, b.v)}; }
CONVMAT_INLINE Vec<float> negate(Vec<float> a) { return {wasm_f32x4_neg(a.v)}; }
CONVMAT_INLINE Vec<float> square_root(Vec<float> a) { return {wasm_f32x4_sqrt(a.v)}; }
CONVMAT_INLINE Vec<float> round_even(Vec<float> a) { return {wasm_f32x4_nearest(a.v)}; }
CONVMAT_INLINE Vec<float> power_of_two(Vec<float> n) {
  const v128_t exponent = wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n.v), wasm_i32x4_splat(127));
  return {wasm_i32x4_shl(exponent, 23)};
}
CONVMAT_INLINE Vec<float> if_less(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  return {wasm_v128_bitselect(yes.v, no.v, wasm_f32x4_lt(a.v, b.v))};
}
CONVMAT_INLINE Vec<double> if_less(Vec<double> a, Vec<double> b, Vec<double> yes, Vec<double> no) {
  return {wasm_v128_bitselect(yes.v, no.v, wasm_f64x2_lt(a.v, b.v))};
}
CONVMAT_INLINE Vec<float> if_equal(Vec<float> a, Vec<float> b, Vec<float> yes, Vec<float> no) {
  return {wasm_v128_bitselect(yes.v, no.v, wasm_f32x4_eq(a.v, b.v))};
}
CONVMAT_INLINE float sum(Vec<float> a) {
  const v128_t halves = wasm_f32x4_add(a.v, wasm_i32x4_shuffle(a.v, a.v, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(halves, 0) + wasm_f32x4_extract_lane(halves, 1);
}
CONVMAT_INLINE double sum(Vec<double> a) {
  return wasm_f64x2_extract_lane(a.v, 0) + wasm_f64x2_extract_lane(a.v, 1);
}

CONVMAT_INLINE Vec<float> gather(const float* p, const int32_t* i) {
  v128_t v = wasm_v128_load32_zero(p + i[0]);
  v = wasm_v128_load32_lane(p + i[1], v, 1);
  v = wasm_v128_load32_lane(p + i[2], v, 2);
  return {wasm_v128_load32_lane(p + i[3], v, 3)};
}
CONVMAT_INLINE Vec<double> gather(const double* p, const int32_t* i) {
  return {wasm_v128_load64_lane(p + i[1], wasm_v128_load64_zero(p + i[0]), 1)};
}

CONVMAT_INLINE Vec<double> load_widened(const float* p) {
  return {wasm_f64x2_promote_low_f32x4(wasm_v128_load64_zero(p))};
}
CONVMAT_INLINE Vec<double> load_widened(const double* p) { return load(p); }
CONVMAT_INLINE Vec<double> load_widened(const int32_t* p) {
  return {wasm_f64x2_convert_low_i32x4(wasm_v128_load64_zero(p))};
}
CONVMAT_INLINE void store_narrowed(float* p, Vec<double> a) {
  wasm_v128_store64_lane(p, wasm_f32x4_demote_f64x2_zero(a.v), 0);
}
CONVMAT_INLINE void store_narrowed(double* p, Vec<double> a) { store(p, a); }

CONVMAT_INLINE Vec<float> load_even(const float* p, Mask<float> mask) {
  // The second load ends with the last element that is wanted.
  const v128_t even = wasm_i32x4_shuffle(wasm_v128_load(p), wasm_v128_load(p + 3), 0, 2, 5, 7);
  return {wasm_v128_and(even, mask.lanes)};
}
CONVMAT_INLINE Vec<double> load_even(const double* p, Mask<double> mask) {
  const v128_t even = wasm_v128_load64_lane(p + 2, wasm_v128_load64_zero(p), 1);
  return {wasm_v128_and(even, mask.lanes)};
}

template <typename T>
CONVMAT_INLINE void transpose(Vec<T> (&rows)[Vec<T>::lanes]) {
  if constexpr (sizeof(T) == 8) {
    const v128_t first = wasm_i64x2_shuffle(rows[0].v, rows[1].v, 0, 2);
    rows[1].v = wasm_i64x2_shuffle(rows[0].v, rows[1].v, 1, 3);
    rows[0].v = first;
  } else {
    const v128_t a = wasm_i32x4_shuffle(rows[0].v, rows[1].v, 0, 4, 1, 5);
    const v128_t b = wasm_i32x4_shuffle(rows[0].v, rows[1].v, 2, 6, 3, 7);
    const v128_t c = wasm_i32x4_shuffle(rows[2].v, rows[3].v, 0, 4, 1, 5);
    const v128_t d = wasm_i32x4_shuffle(rows[2].v, rows[3].v, 2, 6, 3, 7);
    rows[0].v = wasm_i64x2_shuffle(a, c, 0, 2);
    rows[1].v = wasm_i64x2_shuffle(a, c, 1, 3);
    rows[2].v = wasm_i64x2_shuffle(b, d, 0, 2);
    rows[3].v = wasm_i64x2_shuffle(b, d, 1, 3);
  }
}

CONVMAT_INLINE Vec<int32_t> dot_pairs(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c) {
  return {wasm_i32x4_add(c.v, wasm_i32x4_dot_i16x8(a.v, b.v))};
}
CONVMAT_INLINE Vec<int32_t> bits_xor(Vec<int32_t> a, Vec<int32_t> b) { return {wasm_v128_xor(a.v, b.v)}; }

constexpr bool has_pick = false;

// The relaxed product of bytes is exact for seven bits only.
constexpr bool has_dot_quads = false, signed_quads = false;

CONVMAT_INLINE v128_t widen_bytes(v128_t bytes) {
  return wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(bytes));
}
CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p) { return {widen_bytes(wasm_v128_load32_zero(p))}; }
CONVMAT_INLINE Vec<int32_t> load_bytes(const uint8_t* p, int count) {
  uint8_t whole[4] = {};
  for (int i = 0; i < count; ++i) whole[i] = p[i];
  return load_bytes(whole);
}
CONVMAT_INLINE Vec<int32_t> pair_words(Vec<int32_t> even, Vec<int32_t> odd) {
  const v128_t low = wasm_v128_and(even.v, wasm_i32x4_splat(0xffff));
  return {wasm_v128_or(low, wasm_i32x4_shl(odd.v, 16))};
}
CONVMAT_INLINE Vec<int32_t> join_bytes(Vec<int32_t> a, Vec<int32_t> b, Vec<int32_t> c, Vec<int32_t> d) {
  const v128_t even = pair_words(a, c).v, odd = pair_words(b, d).v;
  return {wasm_v128_or(wasm_v128_and(even, wasm_i32x4_splat(0x00ff00ff)), wasm_i16x8_shl(odd, 8))};
}
// Of 4 x 4 bytes.
CONVMAT_INLINE v128_t transpose_bytes(v128_t a) {
  return wasm_i8x16_shuffle(a, a, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}
CONVMAT_INLINE Vec<int32_t> scale_to_bytes(const Vec<int32_t> (&a)[4], const double* multipliers,
                                           int32_t zero_point) {
  const v128_t m_low = wasm_v128_load(multipliers), m_high = wasm_v128_load(multipliers + 2);
  const v128_t lo = wasm_f64x2_splat(-zero_point), hi = wasm_f64x2_splat(255 - zero_point);
  const auto round = [&](v128_t sums, v128_t m) {
    const v128_t value = wasm_f64x2_mul(wasm_f64x2_convert_low_i32x4(sums), m);
    const v128_t bounded = wasm_f64x2_pmin(wasm_f64x2_pmax(value, lo), hi);
    return wasm_i32x4_trunc_sat_f64x2_zero(wasm_f64x2_nearest(bounded));
  };
  const v128_t zero = wasm_i32x4_splat(zero_point);
  Vec<int32_t> rounded[4];
  CONVMAT_UNROLL for (int k = 0; k < 4; ++k) {
    const v128_t low = round(a[k].v, m_low);
    const v128_t high = round(wasm_i32x4_shuffle(a[k].v, a[k].v, 2, 3, 2, 3), m_high);
    rounded[k].v = wasm_i32x4_add(wasm_i64x2_shuffle(low, high, 0, 2), zero);
  }
  return join_bytes(rounded[0], rounded[1], rounded[2], rounded[3]);
}
CONVMAT_INLINE Vec<float> to_float(Vec<int32_t> a) { return {wasm_f32x4_convert_i32x4(a.v)}; }
CONVMAT_INLINE Vec<float> fma_once(Vec<float> a, Vec<float> b, Vec<float> c) {
  const auto half = [](v128_t x, v128_t y, v128_t z) {
    const v128_t product = wasm_f64x2_mul(wasm_f64x2_promote_low_f32x4(x), wasm_f64x2_promote_low_f32x4(y));
    return wasm_f32x4_demote_f64x2_zero(wasm_f64x2_add(product, wasm_f64x2_promote_low_f32x4(z)));
  };
  const auto upper = [](v128_t x) { return wasm_i64x2_shuffle(x, x, 1, 1); };
  const v128_t high = half(upper(a.v), upper(b.v), upper(c.v));
  return {wasm_i64x2_shuffle(half(a.v, b.v, c.v), high, 0, 2)};
}
CONVMAT_INLINE Vec<int32_t> round_to_bytes(const Vec<float> (&a)[4], int32_t zero_point) {
  const v128_t lo = wasm_f32x4_splat(static_cast<float>(-zero_point));
  const v128_t hi = wasm_f32x4_splat(static_cast<float>(255 - zero_point)),
               zero = wasm_i32x4_splat(zero_point);
  Vec<int32_t> rounded[4];
  CONVMAT_UNROLL for (int k = 0; k < 4; ++k) {
    // pmax keeps its first operand beside a NaN.
    const v128_t bounded = wasm_f32x4_pmin(wasm_f32x4_pmax(lo, a[k].v), hi);
    rounded[k].v = wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(bounded)), zero);
  }
  return join_bytes(rounded[0], rounded[1], rounded[2], rounded[3]);
}
CONVMAT_INLINE void store_split(uint8_t* p, Vec<int32_t> words) {
  wasm_v128_store(p, transpose_bytes(words.v));
}
CONVMAT_INLINE void store_lanes(int32_t* p, const Vec<int32_t> (&rows)[4]) {
  Vec<int32_t> lanes[4] = {rows[0], rows[1], rows[2], rows[3]};
  transpose(lanes);
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) store(p + 4 * i, lanes[i]);
}

CONVMAT_INLINE void store_rounded(int32_t* p, Vec<double> a) {
  // Added to a value of that range, it leaves the integer next to it in the lowest bits. LLVM would make
  // branches of the conversion that saturates.
  const v128_t bits = wasm_f64x2_add(a.v, wasm_f64x2_const_splat(6755399441055744.0));  // 1.5 * 2^52
  wasm_v128_store64_lane(p, wasm_i32x4_shuffle(bits, bits, 0, 2, 0, 2), 0);
}

constexpr bool has_channels = true;

CONVMAT_INLINE v128_t reordered(v128_t a, const ByteOrder& order) {
  return wasm_i8x16_swizzle(a, wasm_v128_load(order.at));
}
template <int C>
CONVMAT_INLINE void load_channels(const uint8_t* p, Vec<float> (&channels)[C]) {
  v128_t pixels;
  if constexpr (C == 1) pixels = wasm_v128_load32_zero(p);
  if constexpr (C == 2 || C == 3) pixels = wasm_v128_load64_zero(p);
  if constexpr (C == 3) pixels = wasm_v128_load32_lane(p + 8, pixels, 2);
  if constexpr (C == 4) pixels = wasm_v128_load(p);
  static constexpr ChannelOrders orders = channel_orders(1, C, 0);
  CONVMAT_UNROLL for (int c = 0; c < C; ++c) {
    channels[c].v = wasm_f32x4_convert_i32x4(reordered(pixels, orders.of[c]));
  }
}
template <int C>
CONVMAT_INLINE void load_channels(const uint16_t* p, Vec<float> (&channels)[C]) {
  static constexpr ChannelOrders of_first = channel_orders(2, C, 0), of_rest = channel_orders(2, C, 16);
  const v128_t first = C == 1 ? wasm_v128_load64_zero(p) : wasm_v128_load(p);
  v128_t rest = first;
  if constexpr (C == 3) rest = wasm_v128_load64_zero(p + 8);
  if constexpr (C == 4) rest = wasm_v128_load(p + 8);
  CONVMAT_UNROLL for (int c = 0; c < C; ++c) {
    v128_t values = reordered(first, of_first.of[c]);
    if constexpr (C > 2) values = wasm_v128_or(values, reordered(rest, of_rest.of[c]));
    channels[c].v = wasm_f32x4_convert_i32x4(values);
  }
}
template <int C>
CONVMAT_INLINE void store_channels(uint8_t* p, const Vec<int32_t> (&channels)[C]) {
  static constexpr ByteOrder order = pixel_order(1, C, 0, C - 1, 0);
  const Vec<int32_t> none = zero<int32_t>();
  const v128_t pixels =
      reordered(join_bytes(channels[0], C > 1 ? channels[C > 1 ? 1 : 0] : none,
                           C > 2 ? channels[C > 2 ? 2 : 0] : none, C > 3 ? channels[C > 3 ? 3 : 0] : none)
                    .v,
                order);
  if constexpr (C == 1) wasm_v128_store32_lane(p, pixels, 0);
  if constexpr (C == 2 || C == 3) wasm_v128_store64_lane(p, pixels, 0);
  if constexpr (C == 3) wasm_v128_store32_lane(p + 8, pixels, 2);
  if constexpr (C == 4) wasm_v128_store(p, pixels);
}
template <int C>
CONVMAT_INLINE void store_channels(uint16_t* p, const Vec<int32_t> (&channels)[C]) {
  if constexpr (C == 1) {
    static constexpr ByteOrder order = pixel_order(2, 1, 0, 0, 0);
    wasm_v128_store64_lane(p, reordered(channels[0].v, order), 0);
    return;
  }
  const v128_t first = pair_words(channels[0], channels[C > 1 ? 1 : 0]).v;
  if constexpr (C == 2) {
    wasm_v128_store(p, first);
  } else if constexpr (C == 3) {
    static constexpr ByteOrder pairs[2] = {pixel_order(2, 3, 0, 1, 0), pixel_order(2, 3, 0, 1, 16)};
    static constexpr ByteOrder thirds[2] = {pixel_order(2, 3, 2, 2, 0), pixel_order(2, 3, 2, 2, 16)};
    const v128_t third = channels[2].v;
    wasm_v128_store(p, wasm_v128_or(reordered(first, pairs[0]), reordered(third, thirds[0])));
    const v128_t end = wasm_v128_or(reordered(first, pairs[1]), reordered(third, thirds[1]));
    wasm_v128_store64_lane(p + 8, end, 0);
  } else if constexpr (C == 4) {
    const v128_t second = pair_words(channels[2], channels[3]).v;
    wasm_v128_store(p, wasm_i32x4_shuffle(first, second, 0, 4, 1, 5));
    wasm_v128_store(p + 8, wasm_i32x4_shuffle(first, second, 2, 6, 3, 7));
  }
}

template <typename T>
CONVMAT_INLINE Vec<T> keep(Vec<T> a) {
  return a;
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
