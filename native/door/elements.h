// Arrays of one length, an element at a time.
#pragma once

#include "door/call.h"

namespace convmat::door {

void rectify(const Call& call);
void rectify_grad(const Call& call);
void sum_elements(const Call& call);

}  // namespace convmat::door
