#include "addon/conv.h"

#include <utility>

#include "addon/environment.h"

namespace convmat::addon {
namespace {

constexpr napi_type_tag kPreparedTag = {0x6b1d7e05c2a94f38, 0x9c40b6e81d27f5a3};

void check_float(const ConvPlan& plan) {
  if (plan.dtype != DType::f32 && plan.dtype != DType::f64)
    throw Refusal("plan.dtype: expected float32 or float64");
}

}  // namespace

ConvLengths lengths_of(const WirePlan& plan) {
  if (plan.conv.op == ConvOp::input_grad) {
    return {plan.output_length, plan.weight_length, plan.conv.in_channels, plan.input_length};
  }
  return {plan.input_length, plan.weight_length, plan.conv.out_channels, plan.output_length};
}

ConvOperands read_conv_operands(const Napi::CallbackInfo& call, size_t first, const WirePlan& plan) {
  check_float(plan.conv);
  check_served(plan.conv);
  const ConvLengths lengths = lengths_of(plan);
  const DType dtype = plan.conv.dtype;
  return {read_elements(call[first], dtype, lengths.weight, "weight"),
          read_optional_elements(call[first + 1], dtype, lengths.bias, "bias"),
          read_double(call[first + 2], "lo"), read_double(call[first + 3], "hi")};
}

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

Napi::Value serves_plan(const Napi::CallbackInfo& call) {
  return Napi::Boolean::New(call.Env(), serves(read_conv_plan(call[0], kConvOperations).conv));
}

void release(const Napi::CallbackInfo& call) {
  PreparedConv& prepared = PreparedConv::unwrap(call[0]);
  prepared.packed_.reset();
  prepared.reported_.reset();
}

void conv(const Napi::CallbackInfo& call) {
  const WirePlan plan = read_conv_plan(call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  const ConvLengths lengths = lengths_of(plan);
  const void* const input = read_elements(call[5], plan.conv.dtype, lengths.input, "input");
  void* const output = read_result(call[6], plan.conv.dtype, lengths.output, "output");

  const Context context{&Environment::of(call.Env()).kernels(), nullptr, true};
  const auto packed = pack_conv(context, plan.conv, operands.weight, operands.bias, operands.lo, operands.hi);
  run_conv(context, plan.conv, *packed, input, output);
}

void conv_weight_grad(const Napi::CallbackInfo& call) {
  const WirePlan plan = read_conv_plan(call[0], operation(ConvOp::weight_grad));
  check_float(plan.conv);
  const DType dtype = plan.conv.dtype;
  const void* const input = read_elements(call[1], dtype, plan.input_length, "input");
  const void* const grad_output = read_elements(call[2], dtype, plan.output_length, "gradOutput");
  void* const grad_weight = read_result(call[3], dtype, plan.weight_length, "gradWeight");
  convmat::conv_weight_grad(Context{&Environment::of(call.Env()).kernels()}, plan.conv, input, grad_output,
                            grad_weight);
}

void conv_bias_grad(const Napi::CallbackInfo& call) {
  const int64_t batch = read_size(call[0], "batch");
  const int64_t channels = read_size(call[1], "channels");
  const int64_t places = read_size(call[2], "places");
  const DType dtype = dtype_of(read_array(call[3], "gradOutput"), "gradOutput");
  if (dtype != DType::f32 && dtype != DType::f64) throw Refusal("gradOutput: expected float32 or float64");
  const int64_t length = checked_product({batch, channels, places});
  const void* const grad_output = read_elements(call[3], dtype, length, "gradOutput");
  void* const grad_bias = read_result(call[4], dtype, channels, "gradBias");
  convmat::conv_bias_grad(dtype, batch, channels, places, grad_output, grad_bias);
}

}  // namespace convmat::addon
