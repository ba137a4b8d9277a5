#include "door/lowering.h"

#include "door/plans.h"
#include "integer/matmul.h"
#include "ops/matmul.h"
#include "ops/unfold.h"

namespace convmat::door {
namespace {

// Elements of columns[batch][channels * taps][outputs].
int64_t columns_length(const ConvPlan& plan) {
  const Axis(&a)[3] = plan.axis;
  return checked_product(
      {plan.batch, plan.in_channels, a[0].kernel, a[1].kernel, a[2].kernel, a[0].out, a[1].out, a[2].out});
}

bool is_byte(DType dtype) { return dtype == DType::i8 || dtype == DType::u8; }

}  // namespace

void unfold(const Call& call) {
  const WirePlan plan = read_conv_plan(call[0], operation(ConvOp::forward));
  const DType dtype = plan.conv.dtype;
  const void* const input = read_elements(call[1], dtype, plan.input_length, "input");
  void* const columns = read_result(call[2], dtype, columns_length(plan.conv), "columns");
  convmat::unfold(Context{&kernels_of(call)}, plan.conv, input, columns);
}

void fold(const Call& call) {
  const WirePlan plan = read_conv_plan(call[0], operation(ConvOp::forward));
  if (plan.conv.padding_mode != PaddingMode::zeros)
    throw Refusal("plan.paddingMode: expected zeros, got another");
  const DType dtype = plan.conv.dtype;
  const void* const columns = read_elements(call[1], dtype, columns_length(plan.conv), "columns");
  void* const output = read_result(call[2], dtype, plan.input_length, "output");
  convmat::fold(Context{&kernels_of(call)}, plan.conv, columns, output);
}

void matmul(const Call& call) {
  const int64_t m = read_size(call[0], "m");
  const int64_t n = read_size(call[1], "n");
  const int64_t k = read_size(call[2], "k");
  const DType a_dtype = dtype_of(read_array(call[3], "a"), "a");
  const DType b_dtype = dtype_of(read_array(call[4], "b"), "b");
  const bool bytes = is_byte(a_dtype) && is_byte(b_dtype);
  const bool floats = a_dtype == b_dtype && (a_dtype == DType::f32 || a_dtype == DType::f64);
  if (!bytes && !floats) {
    throw Refusal(std::string("a, b: expected one floating dtype, or 8-bit integers, got ") +
                  dtype_name(a_dtype) + " and " + dtype_name(b_dtype));
  }
  const void* const a = read_elements(call[3], a_dtype, checked_product({m, k}), "a");
  const void* const b = read_elements(call[4], b_dtype, checked_product({k, n}), "b");
  void* const c = read_result(call[5], bytes ? DType::i32 : a_dtype, checked_product({m, n}), "c");
  const Context context{&kernels_of(call)};
  if (bytes) return integer_matmul(context, a_dtype, b_dtype, m, n, k, a, b, static_cast<int32_t*>(c));
  convmat::matmul(context, a_dtype, b_dtype, m, n, k, a, b, c);
}

}  // namespace convmat::door
