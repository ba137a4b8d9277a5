#include "door/elements.h"

#include "ops/elements.h"

namespace convmat::door {

void rectify(const Call& call) {
  const Array x = read_array(call[0], "x");
  const DType dtype = float_dtype_of(x, "x");
  const auto n = static_cast<int64_t>(x.length);
  void* const y = read_result(call[1], dtype, n, "y");
  convmat::rectify(Context{&kernels_of(call)}, dtype, n, x.data, y);
}

void rectify_grad(const Call& call) {
  const Array g = read_array(call[0], "gradOutput");
  const DType dtype = float_dtype_of(g, "gradOutput");
  const auto n = static_cast<int64_t>(g.length);
  const void* const y = read_elements(call[1], dtype, n, "y");
  void* const dx = read_result(call[2], dtype, n, "gradInput");
  convmat::rectify_grad(Context{&kernels_of(call)}, dtype, n, g.data, y, dx);
}

void sum_elements(const Call& call) {
  const Array a = read_array(call[0], "a");
  const DType dtype = float_dtype_of(a, "a");
  const auto n = static_cast<int64_t>(a.length);
  const void* const b = read_elements(call[1], dtype, n, "b");
  const bool is_rectified = read_boolean(call[2]);
  void* const y = read_result(call[3], dtype, n, "y");
  convmat::sum_elements(Context{&kernels_of(call)}, dtype, n, a.data, b, is_rectified, y);
}

}  // namespace convmat::door
