// The addon's surface, whose TypeScript interface is lib/backend/native/addon.ts.
#include <napi.h>

#include <vector>

#include "addon/async.h"
#include "addon/conv.h"
#include "addon/door.h"
#include "addon/environment.h"
#include "addon/integer.h"
#include "addon/network.h"
#include "addon/pixels.h"
#include "addon/tuning.h"
#include "door/batch_norm.h"
#include "door/conv.h"
#include "door/elements.h"
#include "door/fixed.h"
#include "door/integer.h"
#include "door/lowering.h"
#include "door/matrix.h"
#include "door/pixels.h"
#include "door/plans.h"
#include "door/pool.h"
#include "door/signal.h"
#include "door/spectra.h"
#include "door/vectors.h"
#include "network/network.h"
#include "runtime/cpu.h"

#if defined(_WIN32)
  #include <windows.h>
#else
  #include <dlfcn.h>
#endif

namespace convmat::addon {
namespace {

struct Export {
  const char* name;
  napi_callback function;
};
constexpr Export kExports[] = {
#define CONVMAT_FUNCTION(name, function) {#name, entry<door::function>},
#include "door/functions.inc"
#undef CONVMAT_FUNCTION
    {"configure", entry<configure>},
    {"numThreads", entry<num_threads>},
    {"setNumThreads", entry<set_num_threads>},
    {"workspacePeakBytes", entry<workspace_peak_bytes>},
    {"externalBytes", entry<external_bytes>},
    {"prepare", entry<prepare>},
    {"release", entry<release>},
    {"prepareAsync", entry<prepare_async>},
    {"runAsync", entry<run_async>},
    {"convAsync", entry<conv_async>},
    {"cancel", entry<cancel>},
    {"prepareInteger", entry<prepare_integer>},
    {"releaseInteger", entry<release_integer>},
    {"prepareNetwork", entry<prepare_network>},
    {"prepareNetworkAsync", entry<prepare_network_async>},
    {"arenaStart", entry<arena_start>},
    {"releaseNetwork", entry<release_network>},
    {"runNetworkAsync", entry<run_network_async>},
    {"fromPixelsAsync", entry<from_pixels_async>},
    {"toPixelsAsync", entry<to_pixels_async>},
    {"convolvePixelsAsync", entry<convolve_pixels_async>},
};

// The library stays in memory until the process ends: its threads run its code, and Node unloads an addon
// with the last worker thread that had loaded it.
void keep_loaded() {
#if defined(_WIN32)
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&keep_loaded), &module);
#else
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&keep_loaded), &self) != 0) {
    dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  }
#endif
}

void define_list(Napi::Object exports, const char* name, const std::vector<const char*>& texts) {
  const auto list = Napi::Array::New(exports.Env(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) list.Set(static_cast<uint32_t>(i), texts[i]);
  exports.Set(name, list);
}

Napi::Object define_exports(Napi::Env env, Napi::Object exports) {
  keep_loaded();
  Environment::attach(env);
  for (const Export& e : kExports) exports.Set(e.name, make_function(env, e.name, e.function));
  std::vector<const char*> isas;  // what this machine can run, the fastest first
  for (const KernelTable* kernels : available_kernels()) isas.push_back(kernels->name);
  define_list(exports, "isas", isas);
  define_list(exports, "cpuFeatures", cpu_feature_names());
  define_list(exports, "convPlanFields", kConvPlanFields);
  define_list(exports, "integerPlanFields", kIntegerPlanFields);
  define_list(exports, "poolPlanFields", kPoolPlanFields);
  define_list(exports, "fixedPlanFields", kFixedPlanFields);
  const auto enumerations = Napi::Object::New(env);
  for (const Enumeration& e : kEnumerations) define_list(enumerations, e.name, e.values);
  for (const Enumeration& e : kNetworkEnumerations) define_list(enumerations, e.name, e.values);
  exports.Set("enumerations", enumerations);
  exports.Set("tuning", make_tunings(env));
  return exports;
}

}  // namespace
}  // namespace convmat::addon

using convmat::addon::define_exports;
NODE_API_MODULE(convmat, define_exports)
