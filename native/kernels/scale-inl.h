// Sums that become bytes by products of floats, as scale_to_bytes of the vector layer by products in double.
#pragma once

#include <cstdint>

namespace convmat::CONVMAT_ISA {
namespace {

CONVMAT_INLINE Vec<int32_t> scale_to_bytes(const Vec<int32_t> (&a)[4], const float* multipliers,
                                           int32_t zero_point) {
  const Vec<float> m = load(multipliers);
  const Vec<float> products[4] = {mul(to_float(a[0]), m), mul(to_float(a[1]), m), mul(to_float(a[2]), m),
                                  mul(to_float(a[3]), m)};
  return round_to_bytes(products, zero_point);
}
// Nothing is left to double.
CONVMAT_INLINE Vec<int32_t> guess_bytes(const Vec<int32_t> (&a)[4], const float* multipliers,
                                        int32_t zero_point, bool* sure) {
  *sure = true;
  return scale_to_bytes(a, multipliers, zero_point);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
