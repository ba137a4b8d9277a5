// Prepared convolutions of 8-bit integers, as JavaScript calls them.
#pragma once

#include <napi.h>

#include "addon/door.h"

namespace convmat::addon {

// prepareInteger(plan, weight, weightZeroPoints, bias | null, multipliers | null) → run(input, output), with
// run.packedBytes. Multipliers are there exactly when the output has 8 bits.
Napi::Value prepare_integer(const Napi::CallbackInfo& call);
// releaseInteger(run): frees the packed weights.
void release_integer(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
