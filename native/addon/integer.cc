#include "addon/integer.h"

#include <memory>
#include <optional>
#include <utility>

#include "addon/environment.h"
#include "addon/prepared.h"
#include "addon/wire.h"
#include "integer/conv.h"

namespace convmat::addon {
namespace {

constexpr napi_type_tag kPreparedTag = {0x3e5f8a1c97d2046b, 0xb1746c0f5e98d23a};

// Packs what the first five arguments of a call describe.
std::shared_ptr<const PackedIntegerConv> pack(const Napi::CallbackInfo& call, const WireIntegerPlan& plan,
                                              const Context& context) {
  const int64_t channels = plan.conv.conv.out_channels;
  const void* const weight = read_elements(call[1], plan.conv.weight_dtype, plan.weight_length, "weight");
  const void* const zeros = read_elements(call[2], DType::i32, channels, "weightZeroPoints");
  const void* const bias = read_optional_elements(call[3], DType::i32, channels, "bias");
  const bool scaled = plan.conv.output_dtype != DType::i32;
  const void* const multipliers =
      scaled ? read_elements(call[4], DType::f64, channels, "multipliers") : nullptr;
  return pack_integer_conv(context, plan.conv, weight, static_cast<const int32_t*>(zeros),
                           static_cast<const int32_t*>(bias), static_cast<const double*>(multipliers));
}

class PreparedInteger {
 public:
  PreparedInteger(Napi::Env env, const KernelTable& kernels, const WireIntegerPlan& plan,
                  std::shared_ptr<const PackedIntegerConv> packed)
      : kernels_(&kernels), plan_(plan), packed_(std::move(packed)), reported_(std::in_place, env, bytes()) {}

  size_t bytes() const { return packed_->bytes(); }
  void release() {
    check_held();
    packed_.reset();
    reported_.reset();
  }
  void run(const Napi::Value& input, const Napi::Value& output) const {
    check_held();
    const IntegerConvPlan& conv = plan_.conv;
    const void* const x = read_elements(input, conv.conv.dtype, plan_.input_length, "input");
    void* const y = read_result(output, conv.output_dtype, plan_.output_length, "output");
    packed_->run(Context{kernels_}, x, y);
  }

 private:
  void check_held() const {
    if (packed_ == nullptr) throw Refusal("prepared: expected a convolution that is not released");
  }

  const KernelTable* const kernels_;
  const WireIntegerPlan plan_;
  std::shared_ptr<const PackedIntegerConv> packed_;  // null when released
  std::optional<ReportedMemory> reported_;
};

}  // namespace

Napi::Value prepare_integer(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const WireIntegerPlan plan = read_integer_plan(call[0]);
  const KernelTable& kernels = Environment::of(env).kernels();
  auto prepared = std::make_unique<PreparedInteger>(env, kernels, plan, pack(call, plan, Context{&kernels}));
  const size_t bytes = prepared->bytes();
  return bind_run(env, kPreparedTag, std::move(prepared), bytes);
}

void release_integer(const Napi::CallbackInfo& call) {
  auto* const prepared = find_prepared<PreparedInteger>(call[0], kPreparedTag);
  if (prepared == nullptr) throw Refusal("prepared: expected a prepared integer convolution");
  prepared->release();
}

void conv_integer(const Napi::CallbackInfo& call) {
  const WireIntegerPlan plan = read_integer_plan(call[0]);
  const Context context{&Environment::of(call.Env()).kernels()};
  const IntegerConvPlan& conv = plan.conv;
  const void* const input = read_elements(call[5], conv.conv.dtype, plan.input_length, "input");
  void* const output = read_result(call[6], conv.output_dtype, plan.output_length, "output");
  pack(call, plan, context)->run(context, input, output);
}

}  // namespace convmat::addon
