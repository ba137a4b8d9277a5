// Pooling, as JavaScript calls it.
#pragma once

#include "door/call.h"

namespace convmat::door {

// maxPool(plan, input, output, indices | null)
void max_pool(const Call& call);
// avgPool(plan, input, output)
void avg_pool(const Call& call);

// maxPoolGrad(planes, outputs, inputs, gradOutput, indices, gradInput)
void max_pool_grad(const Call& call);

}  // namespace convmat::door
