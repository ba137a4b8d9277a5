// Fixed-point convolution, as JavaScript calls it.
#pragma once

#include "door/call.h"

namespace convmat::door {

// fixedConv2(plan, image, kernel, out): arrays of stored integers.
void fixed_conv2(const Call& call);

}  // namespace convmat::door
