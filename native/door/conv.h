// Convolution in one go, and what every call of one brings.
#pragma once

#include <cstdint>

#include "door/call.h"
#include "door/plans.h"

namespace convmat::door {

// Which of the plan's arrays an operation reads, which it writes, and how many biases it adds.
struct ConvLengths {
  int64_t input, weight, bias, output;
};
ConvLengths lengths_of(const WirePlan& plan);

// Weight, bias and bounds as arguments `first` .. `first + 3` of a call.
struct ConvOperands {
  const void* weight;
  const void* bias;
  double lo, hi;
};
ConvOperands read_conv_operands(const Call& call, size_t first, const WirePlan& plan);

constexpr unsigned kConvOperations = operation(ConvOp::forward) | operation(ConvOp::input_grad);

// serves(plan): whether the plan's algorithm computes it. Others are refused by the functions that take
// plans.
bool serves_plan(const Call& call);
// conv(plan, weight, bias | null, lo, hi, input, output)
void conv(const Call& call);
// convWeightGrad(plan, input, gradOutput, gradWeight)
void conv_weight_grad(const Call& call);
// convBiasGrad(batch, channels, places, gradOutput, gradBias)
void conv_bias_grad(const Call& call);

}  // namespace convmat::door
