// Convolution of 8-bit integers, as JavaScript calls it: prepared, or in one go.
#pragma once

#include <node_api.h>

#include "addon/door.h"

namespace convmat::addon {

// prepareInteger(plan, weight, weightZeroPoints, bias | null, multipliers | null) → run(input, output), with
// run.packedBytes. Multipliers are there exactly when the output has 8 bits.
napi_value prepare_integer(const Call& call);
// releaseInteger(run): frees the packed weights.
napi_value release_integer(const Call& call);
// convInteger(plan, weight, weightZeroPoints, bias | null, multipliers | null, input, output)
napi_value conv_integer(const Call& call);

}  // namespace convmat::addon
