// Bytes from floats, floats from bytes, and sums of bytes with scales.
#pragma once

#include "table/quantized.h"

namespace convmat::CONVMAT_ISA {
namespace {

// y[0 .. 4 vectors) <-- words(first), where whole; the last words, of fewer elements, by a copy.
template <class Words>
CONVMAT_INLINE void each_four(int64_t count, int32_t flip, uint8_t* y, Words words) {
  constexpr int64_t width = 4 * Vec<int32_t>::lanes;
  const Vec<int32_t> flips = broadcast(flip);
  int64_t i = 0;
  for (; i + width <= count; i += width) store_split(y + i, bits_xor(words(i, width), flips));
  if (i == count) return;
  alignas(64) uint8_t bytes[width];
  store_split(bytes, bits_xor(words(i, count - i), flips));
  for (int64_t j = 0; i + j < count; ++j) y[i + j] = bytes[j];
}

constexpr int32_t four_times(uint8_t flip) { return static_cast<int32_t>(flip * 0x01010101u); }

// Vector k of `left` elements from p on, which may be fewer than four vectors.
CONVMAT_INLINE Vec<float> load_part(const float* p, int k, int64_t left) {
  constexpr int lanes = Vec<float>::lanes;
  const int64_t here = left - k * lanes;
  if (here >= lanes) return load(p + k * lanes);
  return here > 0 ? load(p + k * lanes, first_lanes<float>(static_cast<int>(here))) : zero<float>();
}
CONVMAT_INLINE Vec<int32_t> load_part(const uint8_t* p, int k, int64_t left) {
  constexpr int lanes = Vec<int32_t>::lanes;
  const int64_t here = left - k * lanes;
  if (here >= lanes) return load_bytes(p + k * lanes);
  return here > 0 ? load_bytes(p + k * lanes, static_cast<int>(here)) : zero<int32_t>();
}

void quantize_row(const QuantizeRow& row) {
  const Vec<float> scale = broadcast(row.scale);
  each_four(row.count, four_times(row.flip), row.y, [&](int64_t i, int64_t left) {
    Vec<float> four[4];
    CONVMAT_UNROLL for (int k = 0; k < 4; ++k) four[k] = div(load_part(row.x + i, k, left), scale);
    return round_to_bytes(four, row.zero_point);
  });
}

void dequantize_row(const DequantizeRow& row) {
  constexpr int lanes = Vec<int32_t>::lanes;
  const Vec<float> scale = broadcast(row.scale);
  const Vec<int32_t> flip = broadcast(int32_t{row.flip}), zero_point = broadcast(row.zero_point);
  for (int64_t i = 0; i < row.count; i += lanes) {
    const int64_t left = row.count - i;
    const Vec<int32_t> value = sub(bits_xor(load_part(row.x + i, 0, left), flip), zero_point);
    const Vec<float> y = mul(to_float(value), scale);
    if (left >= lanes) {
      store(row.y + i, y);
    } else {
      store(row.y + i, first_lanes<float>(static_cast<int>(left)), y);
    }
  }
}

template <bool is_signed>
CONVMAT_INLINE Vec<float> load_values(const uint8_t* p, int k, int64_t left) {
  const Vec<int32_t> bytes = load_part(p, k, left);
  if constexpr (!is_signed) return to_float(bytes);
  const Vec<int32_t> flip = broadcast(128);
  return to_float(sub(bits_xor(bytes, flip), flip));
}

template <bool is_signed>
CONVMAT_INLINE void add_bytes_of(const AddBytes& f) {
  constexpr int32_t shift = is_signed ? 128 : 0;
  const Vec<float> a_scale = broadcast(f.a_scale), b_scale = broadcast(f.b_scale),
                   offset = broadcast(f.offset);
  each_four(f.count, four_times(static_cast<uint8_t>(shift)), f.y, [&](int64_t i, int64_t left) {
    Vec<float> four[4];
    CONVMAT_UNROLL for (int k = 0; k < 4; ++k) {
      const Vec<float> a = load_values<is_signed>(f.a + i, k, left);
      const Vec<float> b = load_values<is_signed>(f.b + i, k, left);
      four[k] = fma_once(a, a_scale, fma_once(b, b_scale, offset));
    }
    return round_to_bytes(four, shift);
  });
}

void add_bytes(const AddBytes& f) {
  if (f.is_signed) return add_bytes_of<true>(f);
  add_bytes_of<false>(f);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
