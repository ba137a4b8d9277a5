// im2col and back, and the matrix product between them, as JavaScript calls them.
#pragma once

#include <napi.h>

#include "addon/door.h"

namespace convmat::addon {

// unfold(plan, input, columns); the plan has one group and as many output channels as it likes.
void unfold(const Napi::CallbackInfo& call);
// fold(plan, columns, output)
void fold(const Napi::CallbackInfo& call);
// matmul(m, n, k, a, b, c): the arrays' kinds are the dtypes.
void matmul(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
