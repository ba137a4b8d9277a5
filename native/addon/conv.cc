#include "addon/conv.h"

#include <utility>

#include "addon/environment.h"

namespace convmat::addon {
namespace {

constexpr napi_type_tag kPreparedTag = {0x6b1d7e05c2a94f38, 0x9c40b6e81d27f5a3};

}  // namespace

PreparedConv::PreparedConv(const KernelTable& kernels, const WirePlan& plan)
    : kernels_(&kernels), plan_(plan.conv), lengths_(lengths_of(plan)) {}

Napi::Function PreparedConv::bind(Napi::Env env, const KernelTable& kernels, const WirePlan& plan,
                                  std::shared_ptr<const PackedConv> packed,
                                  std::shared_ptr<ReportedMemory> reported) {
  const size_t bytes = packed->bytes();
  auto prepared = std::make_unique<PreparedConv>(kernels, plan);
  prepared->packed_ = std::move(packed);
  prepared->reported_ =
      reported != nullptr ? std::move(reported) : std::make_shared<ReportedMemory>(env, bytes);
  return bind_run(env, kPreparedTag, std::move(prepared), bytes);
}

PreparedConv::Shared PreparedConv::shared_with(const ConvPlan& plan) const {
  if (!packed_alike(plan_, plan)) return {};
  return {packed_, reported_};
}

PreparedConv& PreparedConv::unwrap(const Napi::Value& run) {
  auto* const prepared = find_prepared<PreparedConv>(run, kPreparedTag);
  if (prepared == nullptr) throw Refusal("prepared: expected a prepared convolution");
  if (prepared->packed_ == nullptr) throw Refusal("prepared: expected a convolution that is not released");
  return *prepared;
}

// The hot call: two arrays to look at, nothing to allocate.
void PreparedConv::run(const Napi::Value& input, const Napi::Value& output) const {
  if (packed_ == nullptr) throw Refusal("prepared: expected a convolution that is not released");
  const void* const x = read_elements(input, plan_.dtype, lengths_.input, "input");
  void* const y = read_result(output, plan_.dtype, lengths_.output, "output");
  run_conv(Context{kernels_}, plan_, *packed_, x, y);
}

Napi::Value prepare(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const WirePlan plan = read_conv_plan(call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  const KernelTable& kernels = Environment::of(env).kernels();

  if (!is_nullish(call[5])) {
    PreparedConv::Shared shared = PreparedConv::unwrap(call[5]).shared_with(plan.conv);
    if (shared.packed != nullptr)
      return PreparedConv::bind(env, kernels, plan, std::move(shared.packed), std::move(shared.reported));
  }
  return PreparedConv::bind(
      env, kernels, plan,
      pack_conv(Context{&kernels}, plan.conv, operands.weight, operands.bias, operands.lo, operands.hi),
      nullptr);
}

void release(const Napi::CallbackInfo& call) {
  PreparedConv& prepared = PreparedConv::unwrap(call[0]);
  prepared.packed_.reset();
  prepared.reported_.reset();
}

}  // namespace convmat::addon
