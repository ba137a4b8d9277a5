// Batch normalisation.
#pragma once

#include "door/call.h"

namespace convmat::door {

void batch_moments(const Call& call);
void channel_affine(const Call& call);
void batch_norm_grad(const Call& call);

}  // namespace convmat::door
