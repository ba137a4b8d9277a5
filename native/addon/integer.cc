#include "addon/integer.h"

#include <memory>

#include "addon/environment.h"
#include "addon/wire.h"
#include "core/integer.h"

namespace convmat::addon {
namespace {

constexpr napi_type_tag kPreparedTag = {0x3e5f8a1c97d2046b, 0xb1746c0f5e98d23a};

// Packs what the first five arguments of a call describe.
std::shared_ptr<const PackedIntegerConv> pack(const Call& call, const WireIntegerPlan& plan,
                                              const Context& context) {
  const napi_env env = call.env;
  const int64_t channels = plan.conv.conv.out_channels;
  const void* const weight =
      read_elements(env, call[1], plan.conv.weight_dtype, plan.weight_length, "weight");
  const void* const zeros = read_elements(env, call[2], DType::i32, channels, "weightZeroPoints");
  const void* const bias = read_optional_elements(env, call[3], DType::i32, channels, "bias");
  const bool scaled = plan.conv.output_dtype != DType::i32;
  const void* const multipliers =
      scaled ? read_elements(env, call[4], DType::f64, channels, "multipliers") : nullptr;
  return pack_integer_conv(context, plan.conv, weight, static_cast<const int32_t*>(zeros),
                           static_cast<const int32_t*>(bias), static_cast<const double*>(multipliers));
}

// JavaScript holds it as the function run(input, output), which is bound to it.
class PreparedInteger {
 public:
  PreparedInteger(napi_env env, const KernelTable& kernels, const WireIntegerPlan& plan,
                  std::shared_ptr<const PackedIntegerConv> packed)
      : env_(env), kernels_(&kernels), plan_(plan), packed_(std::move(packed)) {
    report(static_cast<int64_t>(packed_->bytes()));
  }
  ~PreparedInteger() { release(); }
  PreparedInteger(const PreparedInteger&) = delete;
  PreparedInteger& operator=(const PreparedInteger&) = delete;

  size_t bytes() const { return packed_->bytes(); }
  void release() {
    if (packed_ == nullptr) return;
    report(-static_cast<int64_t>(packed_->bytes()));
    packed_.reset();
  }
  void run(const Call& call) const {
    check_held();
    const IntegerConvPlan& conv = plan_.conv;
    const void* const input = read_elements(call.env, call[0], conv.conv.dtype, plan_.input_length, "input");
    void* const output = read_elements(call.env, call[1], conv.output_dtype, plan_.output_length, "output");
    packed_->run(Context{kernels_}, input, output);
  }
  void check_held() const {
    if (packed_ == nullptr) throw Refusal("prepared: expected a convolution that is not released");
  }

 private:
  // Tells V8's collector of memory that its objects hold alive.
  void report(int64_t change) const {
    int64_t total;
    napi_adjust_external_memory(env_, change, &total);
  }

  const napi_env env_;
  const KernelTable* const kernels_;
  const WireIntegerPlan plan_;
  std::shared_ptr<const PackedIntegerConv> packed_;  // null when released
};

napi_value run_integer(const Call& call) {
  static_cast<const PreparedInteger*>(call.bound)->run(call);
  return nullptr;
}

}  // namespace

napi_value prepare_integer(const Call& call) {
  const napi_env env = call.env;
  const WireIntegerPlan plan = read_integer_plan(env, call[0]);
  const KernelTable& kernels = Environment::of(env).kernels();
  auto prepared = std::make_unique<PreparedInteger>(env, kernels, plan, pack(call, plan, Context{&kernels}));
  napi_value function, bytes;
  check(napi_create_function(env, "run", NAPI_AUTO_LENGTH, entry<run_integer>, prepared.get(), &function));
  check(napi_create_double(env, static_cast<double>(prepared->bytes()), &bytes));
  check(napi_set_named_property(env, function, "packedBytes", bytes));
  check(napi_type_tag_object(env, function, &kPreparedTag));
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<PreparedInteger*>(data); };
  check(napi_wrap(env, function, prepared.get(), finalize, nullptr, nullptr));
  prepared.release();
  return function;
}

napi_value release_integer(const Call& call) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(call.env, call[0], &kPreparedTag, &tagged) != napi_ok || !tagged ||
      napi_unwrap(call.env, call[0], &data) != napi_ok) {
    throw Refusal("prepared: expected a prepared integer convolution");
  }
  auto* const prepared = static_cast<PreparedInteger*>(data);
  prepared->check_held();
  prepared->release();
  return nullptr;
}

napi_value conv_integer(const Call& call) {
  const napi_env env = call.env;
  const WireIntegerPlan plan = read_integer_plan(env, call[0]);
  const Context context{&Environment::of(env).kernels()};
  const IntegerConvPlan& conv = plan.conv;
  const void* const input = read_elements(env, call[5], conv.conv.dtype, plan.input_length, "input");
  void* const output = read_elements(env, call[6], conv.output_dtype, plan.output_length, "output");
  pack(call, plan, context)->run(context, input, output);
  return nullptr;
}

}  // namespace convmat::addon
