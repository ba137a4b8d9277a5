// Calls and values of Node-API.
#pragma once

#include <napi.h>

namespace convmat::door {

using Call = Napi::CallbackInfo;
using Value = Napi::Value;

}  // namespace convmat::door
