#include "door/fixed.h"

#include "door/plans.h"
#include "ops/fixed.h"

namespace convmat::door {
namespace {

struct Integers {
  DType dtype;
  const void* data;
};

Integers read_integers(const Value& value, int64_t length, const char* name) {
  const DType dtype = dtype_of(read_array(value, name), name);
  if (dtype == DType::f32 || dtype == DType::f64)
    throw Refusal(std::string(name) + ": expected integers, got " + dtype_name(dtype));
  return {dtype, read_elements(value, dtype, length, name)};
}

}  // namespace

void fixed_conv2(const Call& call) {
  const WireFixedPlan plan = read_fixed_plan(call[0]);
  const Integers image = read_integers(call[1], plan.image_length, "image");
  const Integers kernel = read_integers(call[2], plan.kernel_length, "kernel");
  void* const out = read_result(call[3], word_dtype(plan.conv), plan.output_length, "out");
  convmat::fixed_conv2(Context{&kernels_of(call)}, plan.conv, image.dtype, image.data, kernel.dtype,
                       kernel.data, out);
}

}  // namespace convmat::door
