// Prepared convolutions, as JavaScript calls them.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "addon/prepared.h"
#include "conv/conv.h"
#include "door/conv.h"
#include "table/table.h"

namespace convmat::addon {

// A convolution that is ready to run.
class PreparedConv {
 public:
  PreparedConv(const KernelTable& kernels, const WirePlan& plan);

  // What another plan can run with: nothing when it packs its weights in another way.
  struct Shared {
    std::shared_ptr<const PackedConv> packed;
    std::shared_ptr<ReportedMemory> reported;
  };
  Shared shared_with(const ConvPlan& plan) const;

  // The function that runs a plan with weights packed for it. Their memory is reported now unless it has
  // been.
  static Napi::Function bind(Napi::Env env, const KernelTable& kernels, const WirePlan& plan,
                             std::shared_ptr<const PackedConv> packed,
                             std::shared_ptr<ReportedMemory> reported);

  // What `run` refers to; refused when it is some other function, or released.
  static PreparedConv& unwrap(const Napi::Value& run);

  void run(const Napi::Value& input, const Napi::Value& output) const;

  const ConvPlan& plan() const { return plan_; }
  const ConvLengths& lengths() const { return lengths_; }
  const KernelTable& kernels() const { return *kernels_; }
  // Stays valid while it is held, whatever happens to the prepared convolution meanwhile.
  const std::shared_ptr<const PackedConv>& packed() const { return packed_; }

 private:
  friend void release(const Napi::CallbackInfo& call);

  const KernelTable* kernels_;
  ConvPlan plan_;
  ConvLengths lengths_;
  std::shared_ptr<const PackedConv> packed_;  // null when released
  std::shared_ptr<ReportedMemory> reported_;
};

// prepare(plan, weight, bias | null, lo, hi, similar | null) → run, with run.packedBytes. `similar` is
// another run function with the same weight, bias and bounds, whose packed weights are shared when they are
// packed alike.
Napi::Value prepare(const Napi::CallbackInfo& call);
// release(run): frees the packed weights once nothing runs with them.
void release(const Napi::CallbackInfo& call);
}  // namespace convmat::addon
