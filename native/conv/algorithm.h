// How run_conv meets an algorithm: each has one .cc, which packs weights into an object that runs itself.
#pragma once

#include <memory>

#include "conv/conv.h"

namespace convmat {

class ConvRunner : public PackedConv {
 public:
  virtual void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const = 0;
  // Whether run() gives all that it writes to the context's epilogue.
  virtual bool applies_epilogue() const { return false; }
};

// As pack_conv; the plan's dtype is f32 or f64.
using PackConvFn = std::shared_ptr<const ConvRunner>(const Context& context, const ConvPlan& plan,
                                                     const void* weight, const void* bias, double lo,
                                                     double hi);

PackConvFn pack_im2col_forward;     // im2col.cc
PackConvFn pack_direct_forward;     // direct.cc
PackConvFn pack_depthwise_forward;  // depthwise.cc
PackConvFn pack_separable_forward;  // separable.cc
PackConvFn pack_toeplitz;           // toeplitz/toeplitz.cc, both directions
PackConvFn pack_winograd_forward;   // winograd.cc
PackConvFn pack_winograd_over_dy;   // winograd.cc, the plan's weight being its adjoint's
PackConvFn pack_fft_forward;        // fft/fft.cc

// input_grad.cc: as convolutions over dy, which `forward` packs.
std::shared_ptr<const ConvRunner> pack_input_grad(const Context& context, const ConvPlan& plan,
                                                  PackConvFn* forward, const void* weight, const void* bias,
                                                  double lo, double hi);

}  // namespace convmat
