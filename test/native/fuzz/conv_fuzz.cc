// Convolutions and their gradients of any geometry, by every algorithm that takes it, against the definition.
#include <algorithm>
#include <cmath>
#include <limits>

#include "../reference.h"
#include "conv/conv.h"
#include "conv/weight_grad.h"
#include "fuzz.h"
#include "plan/wire.h"

namespace convmat::test {
namespace {

AxisCase draw_axis(FuzzedDataProvider& in, PaddingMode mode) {
  AxisCase axis{};
  axis.in = draw_size(in, 0, 70);
  axis.kernel = draw_size(in, 1, 24);
  axis.stride = draw(in, 1, 4);
  axis.dilation = draw(in, 1, 4);
  const int64_t most = mode == PaddingMode::circular    ? axis.in
                       : mode == PaddingMode::reflect   ? axis.in - 1
                       : mode == PaddingMode::replicate ? (axis.in > 0 ? 9 : 0)
                                                        : 9;
  axis.before = draw(in, 0, std::clamp<int64_t>(most, 0, 9));
  axis.after = draw(in, 0, std::clamp<int64_t>(most, 0, 9));
  return axis;
}

struct Fusion {
  bool bias;
  double lo, hi;
};

// Bias added and clamped.
void fuse(std::vector<double>& y, const Fusion& fusion, const Operand<double>& bias, int64_t plane) {
  for (size_t i = 0; i < y.size(); ++i) {
    if (fusion.bias) y[i] += bias[static_cast<int64_t>(i) / plane % bias.size()];
    y[i] = std::clamp(y[i], fusion.lo, fusion.hi);
  }
}

// As docs/accuracy.md has it: sums of whole numbers are exact; transforms err by the size of their
// neighbours.
double allowed_error(const ConvPlan& plan, const std::vector<double>& magnitudes, int64_t products,
                     double roundoff) {
  const bool transforms = plan.algorithm == Algorithm::winograd || plan.algorithm == Algorithm::fft;
  if (!transforms || plan.op == ConvOp::weight_grad) return 0;
  double largest = 0;
  for (const double magnitude : magnitudes) largest = std::max(largest, magnitude);
  return 4 * static_cast<double>(products + 2) * roundoff * largest;
}

template <typename T>
void check(const WirePlan& wire, const Fusion& fusion, int64_t offset, Ownership ownership, uint32_t seed) {
  const ConvPlan& plan = wire.conv;
  const int64_t sizes[] = {wire.input_length, wire.weight_length, wire.output_length};
  Operand<T> x = whole_operand<T>(sizes[0], offset, seed), w = whole_operand<T>(sizes[1], 0, seed + 1),
             y = whole_operand<T>(sizes[2], offset, seed + 2);
  const bool forward = plan.op == ConvOp::forward;
  const int64_t channels = forward ? plan.out_channels : plan.in_channels;
  const Operand<T> bias = whole_operand<T>(channels, offset, seed + 3);
  const Operand<double> wide_bias = whole_operand<double>(channels, 0, seed + 3);

  const auto define = [&](const std::vector<double>& image, const std::vector<double>& kernel,
                          const std::vector<double>& result) {
    return forward                         ? reference_forward(plan, image, kernel)
           : plan.op == ConvOp::input_grad ? reference_input_grad(plan, result, kernel)
                                           : reference_weight_grad(plan, image, result);
  };
  std::vector<double> expected = define(x.widened(), w.widened(), y.widened());
  const auto absolute = [](std::vector<double> values) {
    for (double& value : values) value = std::fabs(value);
    return values;
  };
  const int64_t of_channel = channels == 0 ? 0 : wire.weight_length / channels;
  const double allowed =
      allowed_error(plan, define(absolute(x.widened()), absolute(w.widened()), absolute(y.widened())),
                    of_channel, std::numeric_limits<T>::epsilon() / 2);
  if (plan.op != ConvOp::weight_grad) {
    const Axis(&a)[3] = plan.axis;
    const int64_t plane = forward ? a[0].out * a[1].out * a[2].out : a[0].in * a[1].in * a[2].in;
    fuse(expected, fusion, wide_bias, plane);
  }

  for (const KernelTable* kernels : available_kernels()) {
    const Context context{kernels, nullptr, ownership};
    Operand<T>& result = forward ? y : plan.op == ConvOp::input_grad ? x : w;
    const Operand<T> before = result;
    std::fill_n(result.data(), result.size(), T{-777});
    if (plan.op == ConvOp::weight_grad) {
      conv_weight_grad(context, plan, x.data(), y.data(), result.data());
    } else {
      const auto packed =
          pack_conv(context, plan, w.data(), fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi);
      run_conv(context, plan, *packed, forward ? x.data() : y.data(), result.data());
    }
    for (int64_t i = 0; i < result.size(); ++i) {
      demand(std::fabs(static_cast<double>(result[i]) - expected[i]) <= allowed,
             std::string(kernels->name) + ", " + described(plan) + ": element " + std::to_string(i) + " is " +
                 std::to_string(result[i]) + ", expected " + std::to_string(expected[i]));
    }
    result = before;
  }
}

int64_t draw_variant(FuzzedDataProvider& in, Algorithm algorithm) {
  if (algorithm == Algorithm::winograd) return draw(in, 1, 3) * 2;
  if (algorithm != Algorithm::fft) return draw(in, 0, 2);
  const auto side = [&] { return in.PickValueInArray<int64_t>({1, 16, 32, 48, 64, 96, 256, 512, 7}); };
  return side() << 16 | side();
}

}  // namespace
}  // namespace convmat::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace convmat;
  using namespace convmat::test;
  FuzzedDataProvider in(data, size);
  ConvCase problem{};
  const auto op = in.PickValueInArray({ConvOp::forward, ConvOp::input_grad, ConvOp::weight_grad});
  problem.mode = in.PickValueInArray(kModes);
  problem.batch = draw(in, 0, 3);
  problem.groups = draw_size(in, 1, 40);
  problem.in_channels = problem.groups * draw_size(in, 0, 40);
  problem.out_channels = problem.groups * draw_size(in, 0, 40);
  const int64_t rank = draw(in, 1, 3);
  for (int64_t i = 0; i < 3; ++i) {
    problem.axis[i] = i < 3 - rank ? AxisCase{1, 1} : draw_axis(in, problem.mode);
  }
  const bool wide = in.ConsumeBool();
  ConvPlan plan = plan_of(problem, op, wide ? DType::f64 : DType::f32);
  plan.algorithm = in.PickValueInArray({Algorithm::im2col, Algorithm::direct, Algorithm::depthwise,
                                        Algorithm::winograd, Algorithm::fft, Algorithm::toeplitz});
  plan.variant = static_cast<int32_t>(draw_variant(in, plan.algorithm));
  for (Axis& axis : plan.axis) {
    if (axis.out < 0) return 0;
    axis.out -= std::min(axis.out, draw(in, 0, 1));  // fewer outputs than fit are a plan, too
  }
  const Fusion fusion{in.ConsumeBool(), in.ConsumeBool() ? 0 : -std::numeric_limits<double>::infinity(),
                      in.ConsumeBool() ? 6 : std::numeric_limits<double>::infinity()};
  const int64_t offset = draw(in, 0, 3);
  const Ownership ownership = in.ConsumeBool() ? Ownership::borrowed : Ownership::owned;
  const auto seed = in.ConsumeIntegral<uint16_t>();

  const Axis(&a)[3] = plan.axis;
  const int64_t per_group = plan.in_channels / plan.groups;
  const int64_t products = product({plan.batch, plan.out_channels, per_group, a[0].out, a[1].out, a[2].out,
                                    a[0].kernel, a[1].kernel, a[2].kernel});
  try {
    const WirePlan wire = conv_plan(fields_of(plan).data(), operation(op));
    if (products > kMostProducts || wire.input_length > kMostElements || wire.weight_length > kMostElements ||
        wire.output_length > kMostElements)
      return 0;
    if (op != ConvOp::weight_grad && !serves(wire.conv)) return 0;
    (wide ? check<double> : check<float>)(wire, fusion, offset, ownership, seed);
  } catch (const Refusal&) {
  }
  return 0;
}
