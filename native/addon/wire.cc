#include "addon/wire.h"

#include <string>

#include "addon/door.h"

namespace convmat::addon {
namespace {

constexpr const char* kFieldNames[] = {CONVMAT_PLAN_FIELDS};
constexpr size_t kFields = sizeof kFieldNames / sizeof *kFieldNames;

// Reads the fields one after the other, each within its bounds.
class Fields {
 public:
  explicit Fields(const int32_t* values) : values_(values) {}

  int64_t next(int64_t least, int64_t most = INT32_MAX) {
    const int64_t value = values_[index_];
    const char* const name = kFieldNames[index_++];
    if (value < least || value > most) {
      throw Refusal(std::string("plan.") + name + ": expected at least " + quantity(least) + " and at most " +
                    quantity(most) + ", got " + quantity(value));
    }
    return value;
  }

  template <class Enum>
  Enum next_of(Enum last) {
    return static_cast<Enum>(next(0, static_cast<int64_t>(last)));
  }

 private:
  const int32_t* values_;
  size_t index_ = 0;
};

// Every tap of every output lies inside the padded input, and the padding finds its source.
void check_axis(const Axis& axis, PaddingMode mode) {
  const int64_t padded = axis.in + axis.pad_before + axis.pad_after;
  const int64_t span = (axis.kernel - 1) * axis.dilation + 1;
  if (axis.out > 0 && (axis.out - 1) * axis.stride + span > padded) {
    throw Refusal("plan: expected windows inside the padded input");
  }
  const int64_t pad = axis.pad_before > axis.pad_after ? axis.pad_before : axis.pad_after;
  const bool sourced = mode == PaddingMode::zeros || pad == 0 ||
                       (mode == PaddingMode::reflect    ? pad < axis.in
                        : mode == PaddingMode::circular ? pad <= axis.in
                                                        : axis.in > 0);
  if (!sourced) throw Refusal("plan: expected padding that the input can fill");
}

}  // namespace

WirePlan read_conv_plan(napi_env env, napi_value value, unsigned operations) {
  const auto* const values =
      static_cast<const int32_t*>(read_elements(env, value, DType::i32, kFields, "plan"));
  Fields fields(values);
  ConvPlan plan;
  plan.op = fields.next_of(ConvOp::weight_grad);
  plan.dtype = fields.next_of(DType::u32);
  plan.algorithm = fields.next_of(Algorithm::toeplitz);
  plan.variant = static_cast<int32_t>(fields.next(0));
  plan.padding_mode = fields.next_of(PaddingMode::replicate);
  plan.batch = fields.next(0);
  plan.groups = fields.next(1);
  plan.in_channels = fields.next(0);
  plan.out_channels = fields.next(0);
  for (Axis& axis : plan.axis) {
    axis.in = fields.next(0);
    axis.kernel = fields.next(1);
    axis.stride = fields.next(1);
    axis.dilation = fields.next(1);
    axis.pad_before = fields.next(0);
    axis.pad_after = fields.next(0);
    axis.out = fields.next(0);
    check_axis(axis, plan.padding_mode);
  }
  if ((operations & operation(plan.op)) == 0)
    throw Refusal("plan.op: expected an operation of this function");
  if (plan.in_channels % plan.groups != 0 || plan.out_channels % plan.groups != 0) {
    throw Refusal("plan.groups: expected a divisor of both channel counts");
  }
  const Axis(&a)[3] = plan.axis;
  return {plan, checked_product({plan.batch, plan.in_channels, a[0].in, a[1].in, a[2].in}),
          checked_product(
              {plan.out_channels, plan.in_channels / plan.groups, a[0].kernel, a[1].kernel, a[2].kernel}),
          checked_product({plan.batch, plan.out_channels, a[0].out, a[1].out, a[2].out})};
}

napi_value plan_field_names(napi_env env) {
  napi_value names;
  check(napi_create_array_with_length(env, kFields, &names));
  for (size_t i = 0; i < kFields; ++i) {
    napi_value name;
    check(napi_create_string_utf8(env, kFieldNames[i], NAPI_AUTO_LENGTH, &name));
    check(napi_set_element(env, names, static_cast<uint32_t>(i), name));
  }
  return names;
}

}  // namespace convmat::addon
