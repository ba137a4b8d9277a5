// Division that rounds to a side, of whole numbers: the divisor is positive.
#pragma once

#include <type_traits>

namespace convmat {

// Of a that is 0 or more.
template <typename A, typename B>
constexpr std::common_type_t<A, B> ceil_div(A a, B b) {
  static_assert(std::is_integral_v<A> && std::is_integral_v<B>);
  return (a + b - 1) / b;
}
// The least multiple of b that is no less than a, which is 0 or more.
template <typename A, typename B>
constexpr std::common_type_t<A, B> round_up(A a, B b) {
  return ceil_div(a, b) * b;
}

// Of an a of either sign: / rounds towards zero.
template <typename A, typename B>
constexpr std::common_type_t<A, B> signed_ceil_div(A a, B b) {
  return a >= 0 ? ceil_div(a, b) : -(-a / b);
}
template <typename A, typename B>
constexpr std::common_type_t<A, B> signed_floor_div(A a, B b) {
  return a >= 0 ? a / b : -ceil_div(-a, b);
}

}  // namespace convmat
