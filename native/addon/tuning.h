// What the model of time in lib/plan/model needs of the native loops: data that JavaScript reads, so that no
// constant is written down twice.
#pragma once

#include <napi.h>

namespace convmat::addon {

// By name of each instruction set that this machine can run: `Tuning` of lib/plan/model/tuning.ts.
Napi::Object make_tunings(Napi::Env env);

}  // namespace convmat::addon
