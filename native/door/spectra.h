// Singular values, as JavaScript calls them.
#pragma once

#include "door/call.h"

namespace convmat::door {

// singularValues(rows, cols, re, im, values)
void singular_values(const Call& call);

}  // namespace convmat::door
