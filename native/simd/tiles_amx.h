// The tile unit of AMX. Statements rather than intrinsics: GCC 12's do not say what memory they read and
// write. The compiler allocates no tile registers, so that a number is a register, and none is held across a
// call of something that uses them.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "simd/compiler.h"

namespace convmat::amx {
namespace {

struct Tiles {
  static constexpr bool need_permission = true;

  // All eight registers whole: a palette, then bytes of a line and lines of each.
  static CONVMAT_INLINE void configure() {
    struct alignas(64) Configuration {
      uint8_t palette, start, reserved[14];
      uint16_t line_bytes[16];
      uint8_t lines[16];
    };
    static constexpr Configuration whole = {
        1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    static_assert(sizeof(Configuration) == 64, "as the instruction reads it");
    __asm__ volatile("ldtilecfg %0" : : "m"(whole) : "memory");
  }
  static CONVMAT_INLINE void release() { __asm__ volatile("tilerelease" : : : "memory"); }

  template <int T>
  static CONVMAT_INLINE void zero() {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  // Lines `stride` bytes apart.
  template <int T>
  static CONVMAT_INLINE void load(const uint8_t* from, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(T) : "memory");
  }
  template <int T>
  static CONVMAT_INLINE void store(int32_t* to, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(T) : "memory");
  }
  // Tile SUM += tile ROWS . tile COLUMNS, modulo 2^32.
  template <int SUM, int ROWS, int COLUMNS, bool signed_rows, bool signed_columns>
  static CONVMAT_INLINE void dot() {
    if constexpr (signed_rows && signed_columns) {
      __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(SUM), "i"(ROWS), "i"(COLUMNS));
    } else if constexpr (signed_rows) {
      __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(SUM), "i"(ROWS), "i"(COLUMNS));
    } else if constexpr (signed_columns) {
      __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(SUM), "i"(ROWS), "i"(COLUMNS));
    } else {
      __asm__ volatile("tdpbuud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(SUM), "i"(ROWS), "i"(COLUMNS));
    }
  }
  // The same of pairs of bfloat16: sums are floats.
  template <int SUM, int ROWS, int COLUMNS>
  static CONVMAT_INLINE void dot_bf16() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(SUM), "i"(ROWS), "i"(COLUMNS));
  }

  // to[i] <-- low[i] and, in the upper half, high[i] as bfloat16, of `count` up to 16; zeros beyond, and for
  // a null.
  static CONVMAT_INLINE void pair_bf16(const float* low, const float* high, int count, int32_t* to) {
    const auto mask = static_cast<__mmask16>((1u << count) - 1);
    const __m512i lower = narrowed(_mm512_maskz_loadu_ps(mask, low));
    const __m512i upper =
        high == nullptr ? _mm512_setzero_si512() : narrowed(_mm512_maskz_loadu_ps(mask, high));
    _mm512_store_si512(to, _mm512_or_si512(lower, _mm512_slli_epi32(upper, 16)));
  }

 private:
  static CONVMAT_INLINE __m512i narrowed(__m512 values) {
    __m256i halves;
    __asm__("vcvtneps2bf16 %1, %0" : "=v"(halves) : "v"(values));
    return _mm512_cvtepu16_epi32(halves);
  }
};

}  // namespace
}  // namespace convmat::amx
