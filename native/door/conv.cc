#include "door/conv.h"

#include "conv/conv.h"
#include "conv/weight_grad.h"

namespace convmat::door {

ConvLengths lengths_of(const WirePlan& plan) {
  if (plan.conv.op == ConvOp::input_grad) {
    return {plan.output_length, plan.weight_length, plan.conv.in_channels, plan.input_length};
  }
  return {plan.input_length, plan.weight_length, plan.conv.out_channels, plan.output_length};
}

ConvOperands read_conv_operands(const Call& call, size_t first, const WirePlan& plan) {
  checked_float(plan.conv.dtype, "plan.dtype");
  check_served(plan.conv);
  const ConvLengths lengths = lengths_of(plan);
  const DType dtype = plan.conv.dtype;
  return {read_elements(call[first], dtype, lengths.weight, "weight"),
          read_optional_elements(call[first + 1], dtype, lengths.bias, "bias"),
          read_double(call[first + 2], "lo"), read_double(call[first + 3], "hi")};
}

bool serves_plan(const Call& call) { return serves(read_conv_plan(call[0], kConvOperations).conv); }

void conv(const Call& call) {
  const WirePlan plan = read_conv_plan(call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  const ConvLengths lengths = lengths_of(plan);
  const void* const input = read_elements(call[5], plan.conv.dtype, lengths.input, "input");
  void* const output = read_result(call[6], plan.conv.dtype, lengths.output, "output");

  const Context context{&kernels_of(call), nullptr, Ownership::borrowed};
  const auto packed = pack_conv(context, plan.conv, operands.weight, operands.bias, operands.lo, operands.hi);
  run_conv(context, plan.conv, *packed, input, output);
}

void conv_weight_grad(const Call& call) {
  const WirePlan plan = read_conv_plan(call[0], operation(ConvOp::weight_grad));
  checked_float(plan.conv.dtype, "plan.dtype");
  const DType dtype = plan.conv.dtype;
  const void* const input = read_elements(call[1], dtype, plan.input_length, "input");
  const void* const grad_output = read_elements(call[2], dtype, plan.output_length, "gradOutput");
  void* const grad_weight = read_result(call[3], dtype, plan.weight_length, "gradWeight");
  convmat::conv_weight_grad(Context{&kernels_of(call)}, plan.conv, input, grad_output, grad_weight);
}

void conv_bias_grad(const Call& call) {
  const int64_t batch = read_size(call[0], "batch");
  const int64_t channels = read_size(call[1], "channels");
  const int64_t places = read_size(call[2], "places");
  const DType dtype = float_dtype_of(read_array(call[3], "gradOutput"), "gradOutput");
  const int64_t length = checked_product({batch, channels, places});
  const void* const grad_output = read_elements(call[3], dtype, length, "gradOutput");
  void* const grad_bias = read_result(call[4], dtype, channels, "gradBias");
  convmat::conv_bias_grad(dtype, batch, channels, places, grad_output, grad_bias);
}

}  // namespace convmat::door
