// The gradients of a convolution's weights and bias.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// dw[o,c,taps] = sum over batch and outputs of dy * x.
void conv_weight_grad(const Context&, const ConvPlan&, const void* input, const void* grad_output,
                      void* grad_weight);

// db[o] = sum over batch and places of dy[n][o][places], in double. f32, f64.
void conv_bias_grad(DType dtype, int64_t batch, int64_t channels, int64_t places, const void* grad_output,
                    void* grad_bias);

}  // namespace convmat
