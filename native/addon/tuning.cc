#include "addon/tuning.h"

#include "door/tuning.h"
#include "runtime/cpu.h"

namespace convmat::addon {

Napi::Object make_tunings(Napi::Env env) {
  const auto tunings = Napi::Object::New(env);
  for (const KernelTable* kernels : available_kernels()) {
    const auto tuning = Napi::Object::New(env);
    for (const auto& [group, name, value] : door::tuning_of(*kernels)) {
      if (*group == '\0') {
        tuning.Set(name, value);
        continue;
      }
      if (!tuning.Has(group)) tuning.Set(group, Napi::Object::New(env));
      tuning.Get(group).As<Napi::Object>().Set(name, value);
    }
    tunings.Set(kernels->name, tuning);
  }
  return tunings;
}

}  // namespace convmat::addon
