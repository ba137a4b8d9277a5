// Convolution, as JavaScript calls it: prepared, or in one go.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>

#include "addon/door.h"
#include "addon/wire.h"
#include "core/kernel_table.h"
#include "core/ops.h"

namespace convmat::addon {

// Which of the plan's arrays an operation reads, which it writes, and how many biases it adds.
struct ConvLengths {
  int64_t input, weight, bias, output;
};
ConvLengths lengths_of(const WirePlan& plan);

// Weight, bias and bounds as arguments `first` .. `first + 3` of a call.
struct ConvOperands {
  const void* weight;
  const void* bias;
  double lo, hi;
};
ConvOperands read_conv_operands(const Call& call, size_t first, const WirePlan& plan);

constexpr unsigned kConvOperations = operation(ConvOp::forward) | operation(ConvOp::input_grad);

// A convolution that is ready to run. JavaScript holds it as a function bound to it, `run(input, output)`:
// the cheapest call that Node-API has, and nobody can pass it a wrong handle.
class PreparedConv {
 public:
  PreparedConv(const KernelTable& kernels, const WirePlan& plan);

  // What `run` refers to; refused when it is some other function, or released.
  static PreparedConv& unwrap(napi_env env, napi_value run);

  const ConvPlan& plan() const { return plan_; }
  const ConvLengths& lengths() const { return lengths_; }
  const KernelTable& kernels() const { return *kernels_; }
  // Stays valid while it is held, whatever happens to the prepared convolution meanwhile.
  const std::shared_ptr<const PackedConv>& packed() const { return packed_; }

 private:
  class ReportedMemory;
  friend napi_value prepare(const Call& call);
  friend napi_value run(const Call& call);
  friend napi_value release(const Call& call);

  const KernelTable* kernels_;
  ConvPlan plan_;
  ConvLengths lengths_;
  std::shared_ptr<const PackedConv> packed_;  // null when released
  std::shared_ptr<ReportedMemory> reported_;
};

// prepare(plan, weight, bias | null, lo, hi, similar | null) → run, with run.packedBytes. `similar` is
// another run function with the same weight, bias and bounds, whose packed weights are shared when they are
// packed alike.
napi_value prepare(const Call& call);
// release(run): frees the packed weights once nothing runs with them.
napi_value release(const Call& call);
// conv(plan, weight, bias | null, lo, hi, input, output)
napi_value conv(const Call& call);
// convWeightGrad(plan, input, gradOutput, gradWeight)
napi_value conv_weight_grad(const Call& call);

// convBiasGrad(batch, channels, places, gradOutput, gradBias)
napi_value conv_bias_grad(const Call& call);

}  // namespace convmat::addon
