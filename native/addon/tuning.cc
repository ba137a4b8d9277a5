#include "addon/tuning.h"

#include <initializer_list>

#include "runtime/cpu.h"
#include "runtime/tuning.h"

namespace convmat::addon {
namespace {

struct Entry {
  template <class Number>
  Entry(const char* its_name, Number number) : name(its_name), value(static_cast<double>(number)) {}
  const char* name;
  double value;
};

Napi::Object make_entries(Napi::Env env, std::initializer_list<Entry> entries) {
  const auto object = Napi::Object::New(env);
  for (const Entry& entry : entries) object.Set(entry.name, entry.value);
  return object;
}

// Vectors are of float: the model counts in them.
Napi::Object make_tuning(Napi::Env env, const Kernels<float>& kernels) {
  const GemmBlocking& gemm = kernels.gemm_blocking;
  const DirectBlocking& direct = kernels.direct_blocking;
  const auto made = make_entries(env, {{"lanes", direct.lanes}});
  made.Set("gemm", make_entries(env, {{"rows", gemm.mr},
                                      {"vectors", gemm.nr / direct.lanes},
                                      {"wideRows", gemm.wide_mr},
                                      {"wideVectors", gemm.wide_nr / direct.lanes},
                                      {"blockRows", gemm.kc}}));
  made.Set("lowered", make_entries(env, {{"inPlacePasses", tuning::kInPlacePasses}}));
  made.Set("direct", make_entries(env, {{"vectors", direct.vectors},
                                        {"sums", direct.accumulators},
                                        {"pixels", direct.pixels},
                                        {"blockTaps", tuning::kDirectBlockTaps},
                                        {"runTiles", tuning::kDirectRunTiles},
                                        {"inputBytes", tuning::kDirectInputBytes},
                                        {"nearInputBytes", tuning::kDirectNearInputBytes}}));
  made.Set("depthwise", make_entries(env, {{"rows", kernels.depthwise_blocking.rows}}));
  made.Set("separable", make_entries(env, {{"lines", tuning::kSeparableLines}}));
  made.Set("toeplitz", make_entries(env, {{"sums", kernels.toeplitz_blocking.sums},
                                          {"load", tuning::kToeplitzLoad},
                                          {"broadcast", tuning::kToeplitzBroadcast},
                                          {"bandRows", tuning::kToeplitzBandRows},
                                          {"panelBytes", tuning::kToeplitzPanelBytes},
                                          {"gatheredChannels", tuning::kToeplitzGatheredChannels}}));
  return made;
}

}  // namespace

Napi::Object make_tunings(Napi::Env env) {
  const auto tunings = Napi::Object::New(env);
  for (const KernelTable* kernels : available_kernels()) {
    tunings.Set(kernels->name, make_tuning(env, kernels->f32));
  }
  return tunings;
}

}  // namespace convmat::addon
