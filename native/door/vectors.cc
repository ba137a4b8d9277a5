#include "door/vectors.h"

#include "ops/vectors.h"

namespace convmat::door {

double vector_combine(const Call& call) {
  const double a = read_double(call[0], "a");
  const Array x = read_array(call[1], "x");
  const DType dtype = float_dtype_of(x, "x");
  const double b = read_double(call[2], "b");
  const auto n = static_cast<int64_t>(x.length);
  void* const y = read_elements(call[3], dtype, n, "y");
  return convmat::vector_combine(dtype, n, a, x.data, b, y);
}

double vector_dot(const Call& call) {
  const Array x = read_array(call[0], "x");
  const DType dtype = float_dtype_of(x, "x");
  const auto n = static_cast<int64_t>(x.length);
  const void* const y = read_elements(call[1], dtype, n, "y");
  return convmat::vector_dot(dtype, n, x.data, y);
}

}  // namespace convmat::door
