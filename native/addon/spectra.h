// Singular values, as JavaScript calls them.
#pragma once

#include <napi.h>

#include "addon/door.h"

namespace convmat::addon {

// singularValues(rows, cols, re, im, values)
void singular_values(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
