// How pack_conv and run_conv meet an algorithm: each has one .cc, which defines what it is to them, and packs
// weights into an object that runs itself.
#pragma once

#include <memory>

#include "conv/conv.h"

namespace convmat {

class ConvRunner : public PackedConv {
 public:
  virtual void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const = 0;
  // Whether run() gives all that it writes to the context's epilogue.
  virtual bool applies_epilogue() const { return false; }
  // Whether run() adds the context's addend.
  virtual bool applies_addend() const { return false; }
};

// As pack_conv; the plan's dtype is f32 or f64.
using PackConvFn = std::shared_ptr<const ConvRunner>(const Context& context, const ConvPlan& plan,
                                                     const void* weight, const void* bias, double lo,
                                                     double hi);

struct ConvAlgorithm {
  // Whether it computes the plan, whose op is forward or input_grad: as TypeScript has it, where the choice
  // was made. Another algorithm never stands in.
  bool (*serves)(const ConvPlan& plan);
  // What a plan needs to be served, for an error.
  const char* needs;
  // Of plans that it serves.
  PackConvFn* pack;
  // The same where channels of the input or output lie in blocks; null where it serves no such plan.
  bool (*serves_blocks)(const ConvPlan& plan) = nullptr;
  // Of operands that are rounded to bfloat16, where it goes another way about those: null where it does not,
  // or would take no less time.
  PackConvFn* pack_bf16 = nullptr;
};

// One for each value of the enumeration: im2col_algorithm in im2col.cc, and so on.
#define CONVMAT_DECLARED(value, name) extern const ConvAlgorithm value##_algorithm;
CONVMAT_ALGORITHMS(CONVMAT_DECLARED)
#undef CONVMAT_DECLARED

// Forward plans, for algorithms that are built on others.
PackConvFn pack_im2col_forward;     // im2col.cc
PackConvFn pack_direct_forward;     // direct.cc
PackConvFn pack_separable_forward;  // separable.cc

// input_grad.cc: the input gradient as forward convolutions over dy, which `forward` packs.
enum class WeightOverDy {
  transposed,  // `forward` is given the weights of the convolution over dy
  own          // it is given those of the convolution whose adjoint that is
};
std::shared_ptr<const ConvRunner> pack_input_grad(const Context& context, const ConvPlan& plan,
                                                  PackConvFn* forward, WeightOverDy order, const void* weight,
                                                  const void* bias, double lo, double hi);

// toeplitz/toeplitz.cc: an input gradient over padding that repeats elements, of which only what elements
// give as padding is computed, and added to what is there; then all of it is clamped.
std::shared_ptr<const ConvRunner> pack_padding_margins(const Context& context, const ConvPlan& plan,
                                                       const void* weight, double lo, double hi);

// Either operation by the forward one.
template <PackConvFn* forward>
std::shared_ptr<const ConvRunner> pack_either(const Context& context, const ConvPlan& plan,
                                              const void* weight, const void* bias, double lo, double hi) {
  return plan.op == ConvOp::input_grad
             ? pack_input_grad(context, plan, forward, WeightOverDy::transposed, weight, bias, lo, hi)
             : forward(context, plan, weight, bias, lo, hi);
}

// rounded.cc: operands are rounded to bfloat16, and `algorithm` computes.
std::shared_ptr<const ConvRunner> pack_rounded(const Context& context, const ConvPlan& plan,
                                               const ConvAlgorithm& algorithm, const void* weight,
                                               const void* bias, double lo, double hi);

// Whether `serves`, which knows forward plans, serves the plan itself, or the convolution over dy that an
// input gradient of stride 1 is.
bool serves_computed(const ConvPlan& plan, bool (*serves)(const ConvPlan& forward));

// fft/fft.cc: false, and nothing is done, where the plan's tiles do not serve it.
bool fft_weight_grad(const Context& context, const ConvPlan& plan, const void* input, const void* grad_output,
                     void* grad_weight);

}  // namespace convmat
