// Which file serves which plan. The choice itself was made in TypeScript and came with the plan.
#include <new>

#include "core/conv_algorithm.h"

namespace convmat {

std::shared_ptr<const PackedConv> pack_conv(const Context& context, const ConvPlan& plan, const void* weight,
                                            const void* bias, double lo, double hi) {
  PackConvFn* const pack = plan.op == ConvOp::input_grad ? pack_im2col_input_grad : pack_im2col_forward;
  return pack(context, plan, weight, bias, lo, hi);
}

void run_conv(const Context& context, const ConvPlan& plan, const PackedConv& packed, const void* input,
              void* output) {
  static_cast<const ConvRunner&>(packed).run(context, plan, input, output);
}

}  // namespace convmat
