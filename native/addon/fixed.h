// Fixed-point convolution, as JavaScript calls it.
#pragma once

#include <node_api.h>

#include "addon/door.h"

namespace convmat::addon {

// fixedConv2(plan, image, kernel, out): arrays of stored integers.
napi_value fixed_conv2(const Call& call);

}  // namespace convmat::addon
