// Frames of words for integer convolutions: several bytes that one instruction multiplies and sums lie in one
// int32, those of neighbouring channels or, where there is one channel, of neighbouring rows of taps.
#pragma once

#include <cstdint>

#include "geometry/view.h"
#include "plan/plan.h"
#include "runtime/arena.h"
#include "table/table.h"

namespace convmat {

// How bytes become words: see IntegerLine.
struct WordFormat {
  IntegerLineFn* line;
  int64_t factors;  // per word: 2 or 4
  int32_t flip, zero_point;
  uint8_t padding;  // the byte that stands for 0

  // Of bytes of this dtype, as int16 differences from the zero point.
  static WordFormat pairs(const KernelTable& kernels, DType dtype, int32_t zero_point) {
    const bool is_signed = dtype == DType::i8;
    return {kernels.integer.pair_line, 2, is_signed ? 0x80 : 0, zero_point + (is_signed ? 128 : 0),
            static_cast<uint8_t>(zero_point)};
  }
  // As bytes of the signedness that is wanted. Zero points move with them: see `shift`.
  static WordFormat quads(const KernelTable& kernels, DType dtype, int32_t zero_point, bool want_signed) {
    const bool differs = (dtype == DType::i8) != want_signed;
    return {kernels.integer.quad_line, 4, differs ? static_cast<int32_t>(0x80808080u) : 0,
            zero_point + shift(dtype, want_signed), static_cast<uint8_t>(zero_point)};
  }
  // What is added to a value of `dtype` that becomes signed, or unsigned.
  static int32_t shift(DType dtype, bool want_signed) {
    if ((dtype == DType::i8) == want_signed) return 0;
    return want_signed ? -128 : 128;
  }
};

// What a block of outputs reads of `planes` planes at `image`, in words of `format.factors` planes each; or,
// where `planes` is 1 and `vertical`, of as many rows of taps of that plane, each frame row with those that
// follow.
InputView<int32_t> view_words(const KernelTable& kernels, const WordFormat& format, PaddingMode mode,
                              const Axis (&axis)[3], const uint8_t* image, int64_t planes, bool vertical,
                              const OutputBlock& block, ArenaFrame& arena);

}  // namespace convmat
