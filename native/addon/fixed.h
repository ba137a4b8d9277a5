// Fixed-point convolution, as JavaScript calls it.
#pragma once

#include <napi.h>

#include "addon/door.h"

namespace convmat::addon {

// fixedConv2(plan, image, kernel, out): arrays of stored integers.
void fixed_conv2(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
