// Rounding to bfloat16, the upper half of a float: 8 bits of significand.
#pragma once

#include <cstdint>
#include <cstring>

namespace convmat {

// The nearest bfloat16, halves to even, as the bits of a float. What is too large becomes infinite, a NaN
// stays one, and what is below the least normal number becomes a zero of its sign: so instructions have it
// that round to bfloat16 and multiply such numbers.
inline uint32_t rounded_to_bfloat16(uint32_t bits) {
  constexpr uint32_t kSign = 0x80000000u, kUpper = 0xffff0000u, kExponent = 0x7f800000u, kQuiet = 0x00400000u;
  const uint32_t nearest = (bits + 0x7fffu + (bits >> 16 & 1)) & kUpper;
  const uint32_t flushed = (bits & kExponent) == 0 ? bits & kSign : nearest;
  const uint32_t nan = (bits | kQuiet) & kUpper;
  // Without the sign, bits of floats are in the order of their magnitudes.
  return static_cast<int32_t>(bits & ~kSign) > static_cast<int32_t>(kExponent) ? nan : flushed;
}

inline void round_to_bfloat16(const float* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, from + i, sizeof bits);
    bits = rounded_to_bfloat16(bits);
    std::memcpy(to + i, &bits, sizeof bits);
  }
}

// The same as bfloat16 themselves.
inline void narrow_to_bfloat16(const float* from, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, from + i, sizeof bits);
    to[i] = static_cast<uint16_t>(rounded_to_bfloat16(bits) >> 16);
  }
}

}  // namespace convmat
