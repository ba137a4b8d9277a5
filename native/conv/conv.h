// Convolution and its input gradient by the algorithm that the plan names.
#pragma once

#include <cstddef>
#include <memory>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// Whether the plan's algorithm computes it, for ConvOp::forward and ConvOp::input_grad: what follows takes
// only such plans. check_served refuses the others, and is every door's to call.
bool serves(const ConvPlan&);
void check_served(const ConvPlan&);

// Weights (and bias, activation bounds) in the layout that the plan's algorithm reads: immutable, so that any
// number of threads may run with it at once. For ConvOp::forward and ConvOp::input_grad.
class PackedConv {
 public:
  virtual ~PackedConv() = default;
  virtual size_t bytes() const = 0;
};

// weight: OIHW of the forward convolution. bias: one per channel of the written tensor, or null.
// Results are clamped to [lo, hi]; NaN passes through. -inf and +inf mean no clamp.
std::shared_ptr<const PackedConv> pack_conv(const Context&, const ConvPlan&, const void* weight,
                                            const void* bias, double lo, double hi);

// Whether what is packed for one plan serves the other: they may differ in batch and in the sizes of images
// alone.
bool packed_alike(const ConvPlan&, const ConvPlan&);

// forward: input is x, output is y. input_grad: input is dy, output is dx. Any plan that is packed alike.
void run_conv(const Context&, const ConvPlan&, const PackedConv&, const void* input, void* output);

// Whether run_conv gives all that it writes to Context::epilogue; otherwise that is not looked at.
bool applies_epilogue(const PackedConv&);
// Whether it adds Context::addend, likewise.
bool applies_addend(const PackedConv&);

}  // namespace convmat
