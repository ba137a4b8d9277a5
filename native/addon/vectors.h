// Arithmetic of vectors, for solvers.
#pragma once

#include "addon/door.h"

namespace convmat::addon {

Napi::Value vector_combine(const Napi::CallbackInfo& call);
Napi::Value vector_dot(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
