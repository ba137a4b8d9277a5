#include "addon/conv.h"

#include <algorithm>

#include "addon/environment.h"

namespace convmat::addon {
namespace {

constexpr napi_type_tag kPreparedTag = {0x6b1d7e05c2a94f38, 0x9c40b6e81d27f5a3};

// Whether weights packed for one plan serve the other: they may differ in batch and in the sizes of images
// alone.
bool packed_alike(const ConvPlan& a, const ConvPlan& b) {
  const bool same = a.op == b.op && a.dtype == b.dtype && a.algorithm == b.algorithm &&
                    a.variant == b.variant && a.padding_mode == b.padding_mode && a.groups == b.groups &&
                    a.in_channels == b.in_channels && a.out_channels == b.out_channels;
  return same && std::equal(a.axis, a.axis + 3, b.axis, [](const Axis& p, const Axis& q) {
           return p.kernel == q.kernel && p.stride == q.stride && p.dilation == q.dilation &&
                  p.pad_before == q.pad_before && p.pad_after == q.pad_after;
         });
}

void check_float(const ConvPlan& plan) {
  if (plan.dtype != DType::f32 && plan.dtype != DType::f64)
    throw Refusal("plan.dtype: expected float32 or float64");
}

}  // namespace

// Tells V8's collector of memory that its objects hold alive, for as long as this exists. JavaScript's thread
// only.
class PreparedConv::ReportedMemory {
 public:
  ReportedMemory(napi_env env, size_t bytes) : env_(env), bytes_(static_cast<int64_t>(bytes)) {
    adjust(bytes_);
  }
  ~ReportedMemory() { adjust(-bytes_); }
  ReportedMemory(const ReportedMemory&) = delete;
  ReportedMemory& operator=(const ReportedMemory&) = delete;

 private:
  void adjust(int64_t change) {
    int64_t total;
    napi_adjust_external_memory(env_, change, &total);
  }

  napi_env env_;
  int64_t bytes_;
};

ConvLengths lengths_of(const WirePlan& plan) {
  if (plan.conv.op == ConvOp::input_grad) {
    return {plan.output_length, plan.weight_length, plan.conv.in_channels, plan.input_length};
  }
  return {plan.input_length, plan.weight_length, plan.conv.out_channels, plan.output_length};
}

ConvOperands read_conv_operands(const Call& call, size_t first, const WirePlan& plan) {
  check_float(plan.conv);
  const ConvLengths lengths = lengths_of(plan);
  const DType dtype = plan.conv.dtype;
  return {read_elements(call.env, call[first], dtype, lengths.weight, "weight"),
          read_optional_elements(call.env, call[first + 1], dtype, lengths.bias, "bias"),
          read_double(call.env, call[first + 2], "lo"), read_double(call.env, call[first + 3], "hi")};
}

PreparedConv::PreparedConv(const KernelTable& kernels, const WirePlan& plan)
    : kernels_(&kernels), plan_(plan.conv), lengths_(lengths_of(plan)) {}

PreparedConv& PreparedConv::unwrap(napi_env env, napi_value run) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, run, &kPreparedTag, &tagged) != napi_ok || !tagged ||
      napi_unwrap(env, run, &data) != napi_ok) {
    throw Refusal("prepared: expected a prepared convolution");
  }
  auto& prepared = *static_cast<PreparedConv*>(data);
  if (prepared.packed_ == nullptr) throw Refusal("prepared: expected a convolution that is not released");
  return prepared;
}

// The hot call: two arrays to look at, nothing to allocate.
napi_value run(const Call& call) {
  const auto& prepared = *static_cast<const PreparedConv*>(call.bound);
  if (prepared.packed_ == nullptr) throw Refusal("prepared: expected a convolution that is not released");
  const DType dtype = prepared.plan_.dtype;
  const void* const input = read_elements(call.env, call[0], dtype, prepared.lengths_.input, "input");
  void* const output = read_elements(call.env, call[1], dtype, prepared.lengths_.output, "output");
  run_conv(Context{prepared.kernels_}, prepared.plan_, *prepared.packed_, input, output);
  return nullptr;
}

napi_value prepare(const Call& call) {
  const napi_env env = call.env;
  const WirePlan plan = read_conv_plan(env, call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  const KernelTable& kernels = Environment::of(env).kernels();

  auto prepared = std::make_unique<PreparedConv>(kernels, plan);
  if (!is_nullish(env, call[5])) {
    const PreparedConv& similar = PreparedConv::unwrap(env, call[5]);
    if (packed_alike(similar.plan_, plan.conv)) {
      prepared->packed_ = similar.packed_;
      prepared->reported_ = similar.reported_;
    }
  }
  if (prepared->packed_ == nullptr) {
    prepared->packed_ =
        pack_conv(Context{&kernels}, plan.conv, operands.weight, operands.bias, operands.lo, operands.hi);
    prepared->reported_ = std::make_shared<PreparedConv::ReportedMemory>(env, prepared->packed_->bytes());
  }

  napi_value function, bytes;
  check(napi_create_function(env, "run", NAPI_AUTO_LENGTH, entry<run>, prepared.get(), &function));
  check(napi_create_double(env, static_cast<double>(prepared->packed_->bytes()), &bytes));
  check(napi_set_named_property(env, function, "packedBytes", bytes));
  check(napi_type_tag_object(env, function, &kPreparedTag));
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<PreparedConv*>(data); };
  check(napi_wrap(env, function, prepared.get(), finalize, nullptr, nullptr));
  prepared.release();
  return function;
}

napi_value release(const Call& call) {
  PreparedConv& prepared = PreparedConv::unwrap(call.env, call[0]);
  prepared.packed_.reset();
  prepared.reported_.reset();
  return nullptr;
}

napi_value conv(const Call& call) {
  const napi_env env = call.env;
  const WirePlan plan = read_conv_plan(env, call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  const ConvLengths lengths = lengths_of(plan);
  const void* const input = read_elements(env, call[5], plan.conv.dtype, lengths.input, "input");
  void* const output = read_elements(env, call[6], plan.conv.dtype, lengths.output, "output");

  const Context context{&Environment::of(env).kernels(), nullptr, true};
  const auto packed = pack_conv(context, plan.conv, operands.weight, operands.bias, operands.lo, operands.hi);
  run_conv(context, plan.conv, *packed, input, output);
  return nullptr;
}

napi_value conv_weight_grad(const Call& call) {
  const napi_env env = call.env;
  const WirePlan plan = read_conv_plan(env, call[0], operation(ConvOp::weight_grad));
  check_float(plan.conv);
  const DType dtype = plan.conv.dtype;
  const void* const input = read_elements(env, call[1], dtype, plan.input_length, "input");
  const void* const grad_output = read_elements(env, call[2], dtype, plan.output_length, "gradOutput");
  void* const grad_weight = read_elements(env, call[3], dtype, plan.weight_length, "gradWeight");
  convmat::conv_weight_grad(Context{&Environment::of(env).kernels()}, plan.conv, input, grad_output,
                            grad_weight);
  return nullptr;
}

napi_value conv_bias_grad(const Call& call) {
  const napi_env env = call.env;
  const int64_t batch = read_size(env, call[0], "batch");
  const int64_t channels = read_size(env, call[1], "channels");
  const int64_t places = read_size(env, call[2], "places");
  const DType dtype = dtype_of(read_array(env, call[3], "gradOutput"), "gradOutput");
  if (dtype != DType::f32 && dtype != DType::f64) throw Refusal("gradOutput: expected float32 or float64");
  const int64_t length = checked_product({batch, channels, places});
  const void* const grad_output = read_elements(env, call[3], dtype, length, "gradOutput");
  void* const grad_bias = read_elements(env, call[4], dtype, channels, "gradBias");
  convmat::conv_bias_grad(dtype, batch, channels, places, grad_output, grad_bias);
  return nullptr;
}

}  // namespace convmat::addon
