// From the type that a plan names to the type of C++. No switch has a default: a dtype that is new does not
// compile before it is said here what it means (-Werror=switch).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "plan/plan.h"

namespace convmat {

// f(T{}) for the T that a dtype names.
template <typename F>
constexpr auto dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::i8:
      return f(int8_t{});
    case DType::u8:
      return f(uint8_t{});
    case DType::i16:
      return f(int16_t{});
    case DType::u16:
      return f(uint16_t{});
    case DType::i32:
      return f(int32_t{});
    case DType::u32:
      return f(uint32_t{});
  }
  std::abort();  // plan/wire.cc lets no other value through
}

// For operations on floating-point numbers alone, and on integers alone: the door and plan/wire.cc refuse the
// other types.
template <typename F>
auto dispatch_float(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::i8:
    case DType::u8:
    case DType::i16:
    case DType::u16:
    case DType::i32:
    case DType::u32:
      break;
  }
  std::abort();
}
template <typename F>
void dispatch_integer(DType dtype, F&& f) {
  dispatch(dtype, [&](auto zero) {
    if constexpr (std::is_integral_v<decltype(zero)>) {
      f(zero);
    } else {
      std::abort();
    }
  });
}

// f(T{}) for an unsigned T as large as an element of a dtype, for what only moves elements.
template <typename F>
void dispatch_bits(DType dtype, F&& f) {
  dispatch(dtype, [&](auto zero) {
    constexpr size_t bytes = sizeof zero;
    using Small = std::conditional_t<bytes == 1, uint8_t, uint16_t>;
    f(std::conditional_t<bytes <= 2, Small, std::conditional_t<bytes == 4, uint32_t, uint64_t>>{});
  });
}

constexpr int64_t bytes_of(DType dtype) {
  return dispatch(dtype, [](auto zero) { return static_cast<int64_t>(sizeof zero); });
}

}  // namespace convmat
