// Rows of bytes that stand for real numbers, scale * (value - zero point), between steps of networks. Values
// are uint8, or int8, whose bytes a flip of 0x80 puts into the order of uint8: zero points then are 128
// larger.
#pragma once

#include <cstdint>

namespace convmat {

// y[i] = (saturated to uint8: round(x[i] / scale) + zero_point) ^ flip, halves to even; NaN becomes the least
struct QuantizeRow {
  const float* x;
  int64_t count;
  float scale;
  int32_t zero_point;
  uint8_t flip;
  uint8_t* y;
};
using QuantizeRowFn = void(const QuantizeRow&);

// y[i] = ((x[i] ^ flip) - zero_point) * scale
struct DequantizeRow {
  const uint8_t* x;
  int64_t count;
  float scale;
  int32_t zero_point;
  uint8_t flip;
  float* y;
};
using DequantizeRowFn = void(const DequantizeRow&);

// y[i] = saturate(round(a[i] * a_scale + (b[i] * b_scale + offset))), of values; each sum is rounded once
struct AddBytes {
  const uint8_t* a;
  const uint8_t* b;
  int64_t count;
  float a_scale, b_scale, offset;
  bool is_signed;
  uint8_t* y;
};
using AddBytesFn = void(const AddBytes&);

}  // namespace convmat
