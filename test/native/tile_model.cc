// Compiled once per instruction set, as vec_probe.cc.
#include CONVMAT_VEC_HEADER

#include <string.h>

#include "kernels/tiles-inl.h"
#include "runtime/bfloat16.h"

namespace convmat::CONVMAT_ISA {
namespace {

// A thread's tiles. One that is not configured refuses, as the CPU does.
struct TileModel {
  static constexpr bool need_permission = false;

  struct Registers {
    bool configured;
    uint8_t tiles[8][kTileLanes][kTileDepth];
  };
  static Registers& registers() {
    static thread_local Registers all;
    return all;
  }
  static uint8_t (&tile(int number))[kTileLanes][kTileDepth] {
    if (!registers().configured) __builtin_trap();
    return registers().tiles[number];
  }

  static void configure() {
    if (registers().configured) __builtin_trap();  // never released
    registers().configured = true;
  }
  static void release() {
    memset(&tile(0), 0xee, sizeof registers().tiles);
    registers().configured = false;
  }
  template <int T>
  static void zero() {
    memset(tile(T), 0, sizeof tile(T));
  }
  template <int T>
  static void load(const uint8_t* from, int64_t stride) {
    for (int64_t i = 0; i < kTileLanes; ++i) memcpy(tile(T)[i], from + i * stride, kTileDepth);
  }
  template <int T>
  static void store(int32_t* to, int64_t stride) {
    for (int64_t i = 0; i < kTileLanes; ++i)
      memcpy(reinterpret_cast<uint8_t*>(to) + i * stride, tile(T)[i], kTileDepth);
  }
  template <bool is_signed>
  static uint32_t value(uint8_t byte) {
    return is_signed ? static_cast<uint32_t>(int32_t{static_cast<int8_t>(byte)}) : byte;
  }
  template <int SUM, int ROWS, int COLUMNS, bool signed_rows, bool signed_columns>
  static void dot() {
    static_assert(SUM != ROWS && SUM != COLUMNS && ROWS != COLUMNS, "three tiles");
    constexpr int64_t bytes = 4;
    for (int64_t i = 0; i < kTileLanes; ++i) {
      uint32_t sums[kTileLanes];
      memcpy(sums, tile(SUM)[i], sizeof sums);
      for (int64_t line = 0; line < kTileLanes; ++line) {
        const uint8_t* const row = tile(ROWS)[i] + bytes * line;
        const uint8_t* const columns = tile(COLUMNS)[line];
        for (int64_t k = 0; k < bytes; ++k) {
          const uint32_t factor = value<signed_rows>(row[k]);
          for (int64_t j = 0; j < kTileLanes; ++j)
            sums[j] += factor * value<signed_columns>(columns[bytes * j + k]);
        }
      }
      memcpy(tile(SUM)[i], sums, sizeof sums);
    }
  }
  static float value_of(uint16_t bits) {
    const uint32_t wide = uint32_t{bits} << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
  }
  // Below the least normal number there is zero.
  static float flushed(float value) {
    const float size = value < 0 ? -value : value;
    return size < 0x1p-126f ? value * 0 : value;
  }
  template <int SUM, int ROWS, int COLUMNS>
  static void dot_bf16() {
    for (int64_t i = 0; i < kTileLanes; ++i) {
      uint16_t row[kTileBf16];
      float sums[kTileLanes], even[kTileLanes] = {}, odd[kTileLanes] = {};
      memcpy(row, tile(ROWS)[i], sizeof row);
      memcpy(sums, tile(SUM)[i], sizeof sums);
      for (int64_t line = 0; line < kTileLanes; ++line) {
        uint16_t columns[kTileBf16];
        memcpy(columns, tile(COLUMNS)[line], sizeof columns);
        const float factors[2] = {flushed(value_of(row[2 * line])), flushed(value_of(row[2 * line + 1]))};
        for (int64_t j = 0; j < kTileLanes; ++j) {
          // Products of bfloat16 are exact in float but for overflow and underflow.
          even[j] = flushed(even[j] + factors[0] * flushed(value_of(columns[2 * j])));
          odd[j] = flushed(odd[j] + factors[1] * flushed(value_of(columns[2 * j + 1])));
        }
      }
      for (int64_t j = 0; j < kTileLanes; ++j) sums[j] = flushed(sums[j] + flushed(even[j] + odd[j]));
      memcpy(tile(SUM)[i], sums, sizeof sums);
    }
  }
  static void pair_bf16(const float* low, const float* high, int count, int32_t* to) {
    for (int i = 0; i < kTileLanes; ++i) {
      uint32_t bits[2] = {0, 0};
      if (i < count) memcpy(&bits[0], low + i, sizeof bits[0]);
      if (i < count && high != nullptr) memcpy(&bits[1], high + i, sizeof bits[1]);
      const uint32_t word = rounded_to_bfloat16(bits[0]) >> 16 | rounded_to_bfloat16(bits[1]);
      memcpy(to + i, &word, sizeof word);
    }
  }
};

}  // namespace

extern const TileKernels tile_model;
const TileKernels tile_model = tile_kernels<TileModel>();

}  // namespace convmat::CONVMAT_ISA
