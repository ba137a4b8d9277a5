// Convolution of 8-bit integers in one go, and what every call of one brings.
#pragma once

#include <memory>

#include "door/call.h"
#include "door/plans.h"
#include "integer/conv.h"

namespace convmat::door {

// Packs what the first five arguments of a call describe: plan, weight, weightZeroPoints, bias | null,
// multipliers | null. Multipliers are there exactly when the output has 8 bits.
std::shared_ptr<const PackedIntegerConv> pack_integer(const Call& call, const WireIntegerPlan& plan,
                                                      const Context& context);

// convInteger(plan, weight, weightZeroPoints, bias | null, multipliers | null, input, output)
void conv_integer(const Call& call);

}  // namespace convmat::door
