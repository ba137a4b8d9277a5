#include "door/integer.h"

namespace convmat::door {

std::shared_ptr<const PackedIntegerConv> pack_integer(const Call& call, const WireIntegerPlan& plan,
                                                      const Context& context) {
  const int64_t channels = plan.conv.conv.out_channels;
  const void* const weight = read_elements(call[1], plan.conv.weight_dtype, plan.weight_length, "weight");
  const void* const zeros = read_elements(call[2], DType::i32, channels, "weightZeroPoints");
  const void* const bias = read_optional_elements(call[3], DType::i32, channels, "bias");
  const bool scaled = plan.conv.output_dtype != DType::i32;
  const void* const multipliers =
      scaled ? read_elements(call[4], DType::f64, channels, "multipliers") : nullptr;
  return pack_integer_conv(context, plan.conv, weight, static_cast<const int32_t*>(zeros),
                           static_cast<const int32_t*>(bias), static_cast<const double*>(multipliers));
}

void conv_integer(const Call& call) {
  const WireIntegerPlan plan = read_integer_plan(call[0]);
  const Context context{&kernels_of(call)};
  const IntegerConvPlan& conv = plan.conv;
  const void* const input = read_elements(call[5], conv.conv.dtype, plan.input_length, "input");
  void* const output = read_result(call[6], conv.output_dtype, plan.output_length, "output");
  pack_integer(call, plan, context)->run(context, input, output);
}

}  // namespace convmat::door
