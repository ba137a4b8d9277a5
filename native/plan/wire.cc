#include "plan/wire.h"

#include <algorithm>
#include <limits>

namespace convmat {

const std::vector<const char*> kConvPlanFields = {CONVMAT_CONV_PLAN_FIELDS};
const std::vector<const char*> kIntegerPlanFields = {CONVMAT_INTEGER_PLAN_FIELDS};
const std::vector<const char*> kPoolPlanFields = {CONVMAT_POOL_PLAN_FIELDS};
const std::vector<const char*> kFixedPlanFields = {CONVMAT_FIXED_PLAN_FIELDS};

#define CONVMAT_NAME(value, name) name,
const std::vector<Enumeration> kEnumerations = {
    {"op", {CONVMAT_CONV_OPS(CONVMAT_NAME)}},          {"dtype", {CONVMAT_DTYPES(CONVMAT_NAME)}},
    {"algorithm", {CONVMAT_ALGORITHMS(CONVMAT_NAME)}}, {"paddingMode", {CONVMAT_PADDING_MODES(CONVMAT_NAME)}},
    {"rounding", {CONVMAT_ROUNDINGS(CONVMAT_NAME)}},   {"precision", {CONVMAT_PRECISIONS(CONVMAT_NAME)}}};
#undef CONVMAT_NAME

const char* op_name(ConvOp op) { return kEnumerations[0].values[static_cast<size_t>(op)]; }
const char* dtype_name(DType dtype) { return kEnumerations[1].values[static_cast<size_t>(dtype)]; }
const char* algorithm_name(Algorithm algorithm) {
  return kEnumerations[2].values[static_cast<size_t>(algorithm)];
}

namespace {

// Reads the fields one after the other, each within its bounds.
class Fields {
 public:
  Fields(const int32_t* values, const std::vector<const char*>& names) : names_(names), values_(values) {}

  int64_t next(int64_t least, int64_t most = INT32_MAX) {
    const int64_t value = values_[index_];
    const char* const name = names_[index_++];
    if (value < least || value > most) {
      throw Refusal(std::string("plan.") + name + ": expected at least " + quantity(least) + " and at most " +
                    quantity(most) + ", got " + quantity(value));
    }
    return value;
  }

  template <class Enum>
  Enum next_of() {
    return static_cast<Enum>(next(0, kValues<Enum> - 1));
  }

  Axis next_axis() {
    Axis axis;
    axis.in = next(0);
    axis.kernel = next(1);
    axis.stride = next(1);
    axis.dilation = next(1);
    axis.pad_before = next(0);
    axis.pad_after = next(0);
    axis.out = next(0);
    return axis;
  }

 private:
  const std::vector<const char*>& names_;
  const int32_t* values_;
  size_t index_ = 0;
};

// How long the padded input is, and up to where the last window reaches.
int64_t padded_length(const Axis& axis) { return axis.in + axis.pad_before + axis.pad_after; }
int64_t reach_of(const Axis& axis) {
  return (axis.out - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
}

[[noreturn]] void refuse_windows(const Axis& axis) {
  throw Refusal("plan: expected windows inside the " + quantity(padded_length(axis)) +
                " elements of the padded input, got one up to " + quantity(reach_of(axis)));
}

// Every tap of every output lies inside the padded input, and the padding finds its source.
void check_axis(const Axis& axis, PaddingMode mode) {
  if (axis.out > 0 && reach_of(axis) > padded_length(axis)) refuse_windows(axis);
  const int64_t pad = axis.pad_before > axis.pad_after ? axis.pad_before : axis.pad_after;
  const bool sourced = mode == PaddingMode::zeros || pad == 0 ||
                       (mode == PaddingMode::reflect    ? pad < axis.in
                        : mode == PaddingMode::circular ? pad <= axis.in
                                                        : axis.in > 0);
  if (!sourced) {
    throw Refusal("plan: expected padding that the input can fill, got " + quantity(pad) + " beside " +
                  quantity(axis.in) + " elements");
  }
}

WirePlan next_conv_plan(Fields& fields, unsigned operations) {
  ConvPlan plan;
  plan.op = fields.next_of<ConvOp>();
  plan.dtype = fields.next_of<DType>();
  plan.algorithm = fields.next_of<Algorithm>();
  plan.variant = static_cast<int32_t>(fields.next(0));
  plan.padding_mode = fields.next_of<PaddingMode>();
  plan.precision = fields.next_of<Precision>();
  if (plan.precision != Precision::float32 && (plan.dtype != DType::f32 || plan.op == ConvOp::weight_grad)) {
    throw Refusal("plan.precision: expected float32 but for products of float32 with the weight, got bf16");
  }
  plan.batch = fields.next(0);
  plan.groups = fields.next(1);
  // Kernels divide by channels. Patches, whose plans name no kernel, may be of none.
  plan.in_channels = fields.next(plan.op == ConvOp::forward && plan.algorithm == Algorithm::im2col ? 0 : 1);
  plan.out_channels = fields.next(1);
  for (Axis& axis : plan.axis) {
    axis = fields.next_axis();
    check_axis(axis, plan.padding_mode);
    // Nothing is a stride away from a single output. Kernels prepare something for every residue of a stride,
    // which must be bounded by the size of the arrays. It stays above 1: what skips elements is told by it.
    if (axis.out <= 1) axis.stride = std::min(axis.stride, axis.in + axis.kernel);
  }
  if ((operations & operation(plan.op)) == 0) {
    throw Refusal(std::string("plan.op: expected an operation of this function, got ") + op_name(plan.op));
  }
  if (plan.in_channels % plan.groups != 0 || plan.out_channels % plan.groups != 0) {
    throw Refusal("plan.groups: expected a divisor of both channel counts, " + quantity(plan.in_channels) +
                  " and " + quantity(plan.out_channels) + ", got " + quantity(plan.groups));
  }
  const Axis(&a)[3] = plan.axis;
  return {plan, checked_product({plan.batch, plan.in_channels, a[0].in, a[1].in, a[2].in}),
          checked_product(
              {plan.out_channels, plan.in_channels / plan.groups, a[0].kernel, a[1].kernel, a[2].kernel}),
          checked_product({plan.batch, plan.out_channels, a[0].out, a[1].out, a[2].out})};
}

}  // namespace

int64_t checked_product(std::initializer_list<int64_t> sizes) {
  // Every element is at most 8 bytes, so that a byte count stays within int64.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 8;
  int64_t product = 1;
  for (const int64_t size : sizes) {
    if (size == 0) return 0;
    if (product > kMost / size) {
      throw Refusal("plan: expected sizes whose product is at most " + quantity(kMost) + ", got " +
                    quantity(product) + " times " + quantity(size));
    }
    product *= size;
  }
  return product;
}

std::string quantity(int64_t n) { return std::to_string(n); }

WirePlan conv_plan(const int32_t* values, unsigned operations) {
  Fields fields(values, kConvPlanFields);
  return next_conv_plan(fields, operations);
}

WireIntegerPlan integer_conv_plan(const int32_t* values) {
  Fields fields(values, kIntegerPlanFields);
  const WirePlan wire = next_conv_plan(fields, operation(ConvOp::forward));
  IntegerConvPlan plan{wire.conv, fields.next_of<DType>(), fields.next_of<DType>(), 0, 0};
  const auto is_byte = [](DType dtype) { return dtype == DType::i8 || dtype == DType::u8; };
  const auto check = [](bool is_right, const char* expected, DType got) {
    if (!is_right) throw Refusal(std::string("plan.") + expected + ", got " + dtype_name(got));
  };
  check(is_byte(plan.conv.dtype), "dtype: expected int8 or uint8", plan.conv.dtype);
  check(is_byte(plan.weight_dtype), "weightDType: expected int8 or uint8", plan.weight_dtype);
  check(is_byte(plan.output_dtype) || plan.output_dtype == DType::i32,
        "outputDType: expected int8, uint8 or int32", plan.output_dtype);
  plan.input_zero_point = static_cast<int32_t>(fields.next(-128, 255));
  plan.output_zero_point = static_cast<int32_t>(fields.next(-128, 255));
  return {plan, wire.input_length, wire.weight_length, wire.output_length};
}

WirePoolPlan pool_plan(const int32_t* values) {
  Fields fields(values, kPoolPlanFields);
  PoolPlan plan;
  plan.dtype = fields.next_of<DType>();
  plan.planes = fields.next(0);
  plan.count_include_pad = fields.next(0, 1) != 0;
  for (Axis& axis : plan.axis) {
    axis = fields.next_axis();
    // In ceil mode the last window starts before the input ends, but may end less than a stride past the
    // padding.
    const int64_t last = (axis.out - 1) * axis.stride;
    if (axis.out > 0 &&
        (last >= axis.in + axis.pad_before || reach_of(axis) >= padded_length(axis) + axis.stride)) {
      refuse_windows(axis);
    }
    if (axis.out > 0 && axis.in == 0) throw Refusal("plan: expected an input under the windows, got none");
  }
  const Axis(&a)[3] = plan.axis;
  return {plan, checked_product({plan.planes, a[0].in, a[1].in, a[2].in}),
          checked_product({plan.planes, a[0].out, a[1].out, a[2].out})};
}

WireFixedPlan fixed_conv_plan(const int32_t* values) {
  Fields fields(values, kFixedPlanFields);
  FixedConvPlan plan;
  plan.rows = fields.next(0);
  plan.columns = fields.next(0);
  plan.planes = fields.next(1);
  plan.kernel_rows = fields.next(1);
  plan.kernel_columns = fields.next(1);
  plan.pad_top = fields.next(0);
  plan.pad_left = fields.next(0);
  plan.out_rows = fields.next(0);
  plan.out_columns = fields.next(0);
  plan.bits = static_cast<int32_t>(fields.next(16, 64));
  plan.shift = static_cast<int32_t>(fields.next(-63, 63));
  if (plan.shift >= plan.bits) {
    throw Refusal("plan.shift: expected less than plan.bits, " + quantity(plan.bits) + ", got " +
                  quantity(plan.shift));
  }
  plan.rounding = fields.next_of<Rounding>();
  plan.every_step = fields.next(0, 1) != 0;
  plan.wrap = fields.next(0, 1) != 0;
  plan.is_signed = fields.next(0, 1) != 0;
  plan.word_length = static_cast<int32_t>(fields.next(1, 32));
  return {plan, checked_product({plan.rows, plan.columns, plan.planes}),
          checked_product({plan.kernel_rows, plan.kernel_columns}),
          checked_product({plan.out_rows, plan.out_columns, plan.planes})};
}

}  // namespace convmat
