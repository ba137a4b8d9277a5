// Pooling, as JavaScript calls it.
#pragma once

#include <node_api.h>

#include "addon/door.h"

namespace convmat::addon {

// maxPool(plan, input, output, indices | null)
napi_value max_pool(const Call& call);
// avgPool(plan, input, output)
napi_value avg_pool(const Call& call);

// maxPoolGrad(planes, outputs, inputs, gradOutput, indices, gradInput)
napi_value max_pool_grad(const Call& call);

}  // namespace convmat::addon
