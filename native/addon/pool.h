// Pooling, as JavaScript calls it.
#pragma once

#include <napi.h>

#include "addon/door.h"

namespace convmat::addon {

// maxPool(plan, input, output, indices | null)
void max_pool(const Napi::CallbackInfo& call);
// avgPool(plan, input, output)
void avg_pool(const Napi::CallbackInfo& call);

// maxPoolGrad(planes, outputs, inputs, gradOutput, indices, gradInput)
void max_pool_grad(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
