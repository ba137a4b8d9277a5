// Which file serves which plan. The choice itself was made in TypeScript and came with the plan.
#include <new>

#include "conv/algorithm.h"

namespace convmat {
namespace {

PackConvFn* forward_packer(const ConvPlan& plan) {
  switch (plan.algorithm) {
    case Algorithm::direct:
      return pack_direct_forward;
    case Algorithm::depthwise:
      return plan.variant == kSeparable ? pack_separable_forward : pack_depthwise_forward;
    case Algorithm::fft:
      return pack_fft_forward;
    case Algorithm::winograd:
      return pack_winograd_forward;
    default:
      return pack_im2col_forward;
  }
}

}  // namespace

std::shared_ptr<const PackedConv> pack_conv(const Context& context, const ConvPlan& plan, const void* weight,
                                            const void* bias, double lo, double hi) {
  if (plan.algorithm == Algorithm::toeplitz) return pack_toeplitz(context, plan, weight, bias, lo, hi);
  PackConvFn* const forward = forward_packer(plan);
  return plan.op == ConvOp::input_grad ? pack_input_grad(context, plan, forward, weight, bias, lo, hi)
                                       : forward(context, plan, weight, bias, lo, hi);
}

void run_conv(const Context& context, const ConvPlan& plan, const PackedConv& packed, const void* input,
              void* output) {
  // Nothing to write, and nothing to share out.
  if (plan.op == ConvOp::forward && plan.axis[0].out * plan.axis[1].out * plan.axis[2].out == 0) return;
  static_cast<const ConvRunner&>(packed).run(context, plan, input, output);
}

bool applies_epilogue(const PackedConv& packed) {
  return static_cast<const ConvRunner&>(packed).applies_epilogue();
}

}  // namespace convmat
