// im2col and back, and the matrix product between them, as JavaScript calls them.
#pragma once

#include "door/call.h"

namespace convmat::door {

// unfold(plan, input, columns); the plan has one group and as many output channels as it likes.
void unfold(const Call& call);
// fold(plan, columns, output)
void fold(const Call& call);
// matmul(m, n, k, a, b, c): the arrays' kinds are the dtypes.
void matmul(const Call& call);

}  // namespace convmat::door
