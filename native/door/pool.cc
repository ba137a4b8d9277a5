#include "door/pool.h"

#include "door/plans.h"
#include "ops/pool.h"

namespace convmat::door {

void max_pool(const Call& call) {
  const WirePoolPlan plan = read_pool_plan(call[0]);
  const DType dtype = plan.pool.dtype;
  const void* const input = read_elements(call[1], dtype, plan.input_length, "input");
  void* const output = read_result(call[2], dtype, plan.output_length, "output");
  void* const indices = read_optional_elements(call[3], DType::i32, plan.output_length, "indices");
  convmat::max_pool(Context{&kernels_of(call)}, plan.pool, input, output, static_cast<int32_t*>(indices));
}

void avg_pool(const Call& call) {
  const WirePoolPlan plan = read_pool_plan(call[0]);
  const DType dtype = checked_float(plan.pool.dtype, "plan.dtype");
  const void* const input = read_elements(call[1], dtype, plan.input_length, "input");
  void* const output = read_result(call[2], dtype, plan.output_length, "output");
  convmat::avg_pool(Context{&kernels_of(call)}, plan.pool, input, output);
}

void max_pool_grad(const Call& call) {
  const int64_t planes = read_size(call[0], "planes");
  const int64_t outputs = read_size(call[1], "outputs");
  const int64_t inputs = read_size(call[2], "inputs");
  const DType dtype = float_dtype_of(read_array(call[3], "gradOutput"), "gradOutput");
  const int64_t length = checked_product({planes, outputs});
  const void* const grad_output = read_elements(call[3], dtype, length, "gradOutput");
  const void* const indices = read_elements(call[4], DType::i32, length, "indices");
  void* const grad_input = read_result(call[5], dtype, checked_product({planes, inputs}), "gradInput");
  if (!convmat::max_pool_grad(dtype, planes, outputs, inputs, grad_output,
                              static_cast<const int32_t*>(indices), grad_input)) {
    throw Refusal("indices: expected places of the input");
  }
}

}  // namespace convmat::door
