// im2col and back, and the matrix product between them, as JavaScript calls them.
#pragma once

#include <node_api.h>

#include "addon/door.h"

namespace convmat::addon {

// unfold(plan, input, columns); the plan has one group and as many output channels as it likes.
napi_value unfold(const Call& call);
// fold(plan, columns, output)
napi_value fold(const Call& call);
// matmul(m, n, k, a, b, c): the arrays' kinds are the dtypes.
napi_value matmul(const Call& call);

}  // namespace convmat::addon
