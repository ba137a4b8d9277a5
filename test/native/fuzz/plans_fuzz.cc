// Plans whose every field may lie: refused, or harmless to run with arrays of the lengths that they ask for.
// What comes out matters only where it is a sum of whole numbers: the same on every instruction set.
#include <limits>
#include <map>
#include <memory>

#include "conv/conv.h"
#include "conv/weight_grad.h"
#include "fuzz.h"
#include "integer/conv.h"
#include "ops/entries.h"
#include "ops/fixed.h"
#include "ops/pool.h"
#include "ops/unfold.h"
#include "plan/wire.h"

namespace convmat::test {
namespace {

// A size of the smallest kind, one around a limit, or any.
int32_t draw_field(FuzzedDataProvider& in) {
  constexpr int32_t most = std::numeric_limits<int32_t>::max();
  switch (in.ConsumeIntegralInRange(0, 7)) {
    case 0:
      return in.PickValueInArray<int32_t>({-1, 64, 127, 128, 255, 256, 257, 1 << 15, 1 << 16, (1 << 16) + 1,
                                           1 << 20, 1 << 30, most - 1, most,
                                           std::numeric_limits<int32_t>::min()});
    case 1:
      return in.ConsumeIntegral<int32_t>();
    case 2:
      return static_cast<int32_t>(draw(in, 0, 70));
    default:
      return static_cast<int32_t>(draw(in, 0, 5));
  }
}

std::vector<int32_t> draw_fields(FuzzedDataProvider& in, size_t count, std::vector<int32_t> sound) {
  // Most fields as they should be: a plan with several lies is refused for the first.
  std::vector<int32_t> fields = std::move(sound);
  fields.resize(count);
  for (int64_t lies = draw(in, 0, 12); lies > 0; --lies) fields[draw(in, 0, count - 1)] = draw_field(in);
  return fields;
}

bool is_large(std::initializer_list<int64_t> lengths) {
  for (const int64_t length : lengths) {
    if (length > kMostElements) return true;
  }
  return false;
}

// One channel of three axes of 6, kernel 3, padded by 1, and what is said of it.
std::vector<int32_t> sound_conv_fields(FuzzedDataProvider& in) {
  const auto algorithm = static_cast<int32_t>(draw(in, 0, 5));
  std::vector<int32_t> fields = {static_cast<int32_t>(draw(in, 0, 2)),
                                 static_cast<int32_t>(draw(in, 0, 1)),
                                 algorithm,
                                 0,
                                 0,
                                 0,
                                 1,
                                 1,
                                 1,
                                 1};
  if (algorithm == static_cast<int32_t>(Algorithm::winograd)) fields[3] = 2;
  if (algorithm == static_cast<int32_t>(Algorithm::fft)) fields[3] = 16 << 16 | 16;
  for (int axis = 0; axis < 3; ++axis) {
    const bool flat = axis == 0;
    const int32_t size = flat ? 1 : 6, kernel = flat ? 1 : 3, pad = flat ? 0 : 1;
    fields.insert(fields.end(), {size, kernel, 1, 1, pad, pad, size});
  }
  return fields;
}

template <typename T>
void run_conv_plan(const WirePlan& wire, bool with_bias, Ownership ownership) {
  const ConvPlan& plan = wire.conv;
  const bool forward = plan.op == ConvOp::forward;
  const bool exact = plan.algorithm != Algorithm::winograd && plan.algorithm != Algorithm::fft;
  std::vector<double> first;
  for (const KernelTable* kernels : available_kernels()) {
    const Context context{kernels, nullptr, ownership};
    Operand<T> x = whole_operand<T>(wire.input_length, 1, 1), w = whole_operand<T>(wire.weight_length, 1, 2),
               y = whole_operand<T>(wire.output_length, 1, 3);
    Operand<T>& result = forward ? y : plan.op == ConvOp::input_grad ? x : w;
    if (plan.op == ConvOp::weight_grad) {
      conv_weight_grad(context, plan, x.data(), y.data(), w.data());
    } else {
      const int64_t channels = forward ? plan.out_channels : plan.in_channels;
      if (is_large({channels})) return;
      const Operand<T> bias = whole_operand<T>(channels, 1, 4);
      const auto packed = pack_conv(context, plan, w.data(), with_bias ? bias.data() : nullptr, -100, 100);
      run_conv(context, plan, *packed, forward ? x.data() : y.data(), result.data());
    }
    if (kernels == available_kernels().front()) first = result.widened();
    demand(!exact || first == result.widened(),
           std::string(kernels->name) + ", " + described(plan) + ": another result");
  }
}

void run_conv_plans(FuzzedDataProvider& in) {
  const std::vector<int32_t> fields = draw_fields(in, kConvPlanFields.size(), sound_conv_fields(in));
  const bool with_bias = in.ConsumeBool();
  const Ownership ownership = in.ConsumeBool() ? Ownership::borrowed : Ownership::owned;
  const WirePlan wire = conv_plan(fields.data(), operation(ConvOp::forward) | operation(ConvOp::input_grad) |
                                                     operation(ConvOp::weight_grad));
  if (is_large({wire.input_length, wire.weight_length, wire.output_length})) return;
  if (wire.conv.op != ConvOp::weight_grad && !serves(wire.conv)) return;
  if (wire.conv.dtype == DType::f32) return run_conv_plan<float>(wire, with_bias, ownership);
  if (wire.conv.dtype == DType::f64) run_conv_plan<double>(wire, with_bias, ownership);
}

// unfold, fold and the matrix of a convolution: of a forward plan.
void run_lowering_plans(FuzzedDataProvider& in) {
  std::vector<int32_t> fields = sound_conv_fields(in);
  fields[0] = 0;
  fields = draw_fields(in, kConvPlanFields.size(), fields);
  const WirePlan wire = conv_plan(fields.data(), operation(ConvOp::forward));
  const ConvPlan& plan = wire.conv;
  const Axis(&a)[3] = plan.axis;
  const int64_t columns = checked_product(
      {plan.batch, plan.in_channels, a[0].kernel, a[1].kernel, a[2].kernel, a[0].out, a[1].out, a[2].out});
  if (is_large({wire.input_length})) return;
  // Of the widest dtype; narrower ones only read less.
  Operand<double> x(wire.input_length, 1);
  const Context context{available_kernels().front()};
  if (!is_large({columns})) {
    Operand<double> to(columns, 1);
    ConvPlan wide = plan;
    wide.dtype = DType::f64;
    unfold(context, wide, x.data(), to.data());
    if (wide.padding_mode == PaddingMode::zeros) fold(context, wide, to.data(), x.data());
  }
  if (is_large({wire.weight_length, wire.output_length}) || plan.batch != 1) return;
  if (plan.dtype != DType::f64) return;
  const Operand<double> w = whole_operand<double>(wire.weight_length, 1, 1);
  const int64_t nnz = draw(in, 0, 600);
  std::vector<int32_t> indptr(wire.output_length + 1), indices(nnz);
  std::vector<double> entries(nnz);
  conv_entries(plan, w.data(), {nnz, indptr.data(), indices.data(), entries.data()});
}

void run_integer_plans(FuzzedDataProvider& in) {
  std::vector<int32_t> fields = sound_conv_fields(in);
  fields[0] = fields[2] = fields[3] = 0;
  fields[1] = static_cast<int32_t>(draw(in, 2, 3));
  fields.insert(fields.end(), {static_cast<int32_t>(draw(in, 2, 3)), 6, 0, 0});
  fields = draw_fields(in, kIntegerPlanFields.size(), fields);
  const WireIntegerPlan wire = integer_conv_plan(fields.data());
  if (is_large({wire.input_length, wire.weight_length, wire.output_length, wire.conv.conv.out_channels}))
    return;
  const int64_t channels = wire.conv.conv.out_channels;
  const Operand<int32_t> zeros(channels, 1);
  Operand<double> multipliers(channels, 1);
  for (int64_t o = 0; o < channels; ++o) multipliers[o] = in.ConsumeBool() ? 0.01 : 1e300;
  const Operand<uint8_t> x = any_integers<uint8_t>(wire.input_length, 1, 1),
                         w = any_integers<uint8_t>(wire.weight_length, 1, 2);
  const bool scaled = wire.conv.output_dtype != DType::i32;
  const int64_t width = scaled ? 1 : 4;
  for (const KernelTable* kernels : available_kernels()) {
    const Context context{kernels};
    Operand<uint8_t> y(wire.output_length * width, 4);
    pack_integer_conv(context, wire.conv, w.data(), zeros.data(), nullptr,
                      scaled ? multipliers.data() : nullptr)
        ->run(context, x.data(), y.data());
  }
}

void run_pool_plans(FuzzedDataProvider& in) {
  std::vector<int32_t> fields = {static_cast<int32_t>(draw(in, 0, 1)), 2, in.ConsumeBool()};
  for (int axis = 0; axis < 3; ++axis) fields.insert(fields.end(), {6, 2, 2, 1, 0, 0, 3});
  fields = draw_fields(in, kPoolPlanFields.size(), fields);
  const WirePoolPlan wire = pool_plan(fields.data());
  if (is_large({wire.input_length, wire.output_length})) return;
  // Room for the widest dtype; the others use less.
  const Operand<double> x = whole_operand<double>(wire.input_length, 0, 1);
  Operand<double> y(wire.output_length, 0);
  Operand<int32_t> indices(wire.output_length, 1);
  const Context context{available_kernels().front()};
  PoolPlan plan = wire.pool;
  plan.dtype = DType::f64;
  max_pool(context, plan, x.data(), y.data(), in.ConsumeBool() ? indices.data() : nullptr);
  avg_pool(context, plan, x.data(), y.data());
}

void run_fixed_plans(FuzzedDataProvider& in) {
  std::vector<int32_t> fields = {5, 6, 1, 2, 2, 1, 1, 5, 6, 64, 3, 0, 0, 0, 1, 16};
  fields = draw_fields(in, kFixedPlanFields.size(), fields);
  const WireFixedPlan wire = fixed_conv_plan(fields.data());
  if (is_large({wire.image_length, wire.kernel_length, wire.output_length})) return;
  // Sums that stay within any width: overflow is what TypeScript has to prevent, and harms no memory.
  const Operand<int8_t> image(wire.image_length, 1), kernel(wire.kernel_length, 1);
  Operand<int32_t> out(wire.output_length, 1);
  for (const KernelTable* kernels : available_kernels())
    fixed_conv2(Context{kernels}, wire.conv, DType::i8, image.data(), DType::i8, kernel.data(), out.data());
}

}  // namespace
}  // namespace convmat::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace convmat::test;
  FuzzedDataProvider in(data, size);
  try {
    switch (in.ConsumeIntegralInRange(0, 7)) {
      case 0:
        run_lowering_plans(in);
        break;
      case 1:
        run_integer_plans(in);
        break;
      case 2:
        run_pool_plans(in);
        break;
      case 3:
        run_fixed_plans(in);
        break;
      default:
        run_conv_plans(in);
    }
  } catch (const convmat::Refusal&) {
  } catch (const std::bad_alloc&) {  // a plan may ask for more scratch than there is
  }
  return 0;
}
