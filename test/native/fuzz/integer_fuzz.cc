// Convolutions and products of 8-bit integers of any geometry, against sums in 64 bits.
#include <algorithm>
#include <cmath>
#include <limits>

#include "../reference.h"
#include "fuzz.h"
#include "integer/conv.h"
#include "ops/matmul.h"
#include "plan/wire.h"

namespace convmat::test {
namespace {

// The kernels that the CPU runs, with those of quads and without.
std::vector<KernelTable> tables() {
  std::vector<KernelTable> all;
  for (const KernelTable* kernels : available_kernels()) {
    all.push_back(*kernels);
    if (kernels->integer.quad_tile == nullptr) continue;
    all.push_back(*kernels);
    all.back().integer.quad_line = nullptr;
    all.back().integer.quad_tile = nullptr;
  }
  return all;
}

int64_t value_of(const Operand<uint8_t>& bytes, DType dtype, int64_t i) {
  return dtype == DType::i8 ? static_cast<int8_t>(bytes[i]) : bytes[i];
}
int64_t least(DType dtype) { return dtype == DType::i8 ? -128 : 0; }

void check_conv(FuzzedDataProvider& in) {
  ConvCase problem{};
  problem.mode = in.PickValueInArray(kModes);
  problem.batch = draw(in, 0, 2);
  problem.groups = draw_size(in, 1, 20);
  problem.in_channels = problem.groups * draw_size(in, 0, 70);
  problem.out_channels = problem.groups * draw_size(in, 0, 70);
  const int64_t rank = draw(in, 1, 3);
  for (int64_t i = 0; i < 3; ++i) {
    problem.axis[i] =
        i < 3 - rank ? AxisCase{1, 1} : AxisCase{draw_size(in, 0, 70), draw_size(in, 1, 9), draw(in, 1, 4),
                                                 draw(in, 1, 3),       draw(in, 0, 6),      draw(in, 0, 6)};
  }
  const DType bytes[] = {DType::i8, DType::u8};
  IntegerConvPlan plan{};
  plan.conv = plan_of(problem, ConvOp::forward, in.PickValueInArray(bytes));
  plan.weight_dtype = in.PickValueInArray(bytes);
  plan.output_dtype = in.PickValueInArray({DType::i32, DType::i8, DType::u8});
  const bool scaled = plan.output_dtype != DType::i32;
  plan.input_zero_point = static_cast<int32_t>(least(plan.conv.dtype) + draw(in, 0, 255));
  plan.output_zero_point = static_cast<int32_t>(scaled ? least(plan.output_dtype) + draw(in, 0, 255) : 0);
  std::vector<int32_t> fields = {0,
                                 static_cast<int32_t>(plan.conv.dtype),
                                 0,
                                 0,
                                 static_cast<int32_t>(plan.conv.padding_mode),
                                 static_cast<int32_t>(plan.conv.batch),
                                 static_cast<int32_t>(plan.conv.groups),
                                 static_cast<int32_t>(plan.conv.in_channels),
                                 static_cast<int32_t>(plan.conv.out_channels)};
  int64_t taps = 1;
  for (const Axis& a : plan.conv.axis) {
    taps *= a.kernel;
    for (const int64_t field : {a.in, a.kernel, a.stride, a.dilation, a.pad_before, a.pad_after, a.out})
      fields.push_back(static_cast<int32_t>(field));
  }
  for (const int32_t field :
       {static_cast<int32_t>(plan.weight_dtype), static_cast<int32_t>(plan.output_dtype),
        plan.input_zero_point, plan.output_zero_point})
    fields.push_back(field);
  const WireIntegerPlan wire = integer_conv_plan(fields.data());
  const ConvPlan& conv = wire.conv.conv;
  const int64_t per_group = conv.in_channels / conv.groups;
  if (product({wire.output_length, per_group, taps}) > kMostProducts || wire.input_length > kMostElements ||
      wire.weight_length > kMostElements)
    return;

  const int64_t offset = draw(in, 0, 3), channels = conv.out_channels;
  const bool with_bias = in.ConsumeBool();
  const auto seed = in.ConsumeIntegral<uint16_t>();
  const Operand<uint8_t> x = any_integers<uint8_t>(wire.input_length, offset, seed),
                         w = any_integers<uint8_t>(wire.weight_length, offset, seed + 1);
  Operand<int32_t> zeros(channels, offset), bias = any_integers<int32_t>(channels, offset, seed + 2);
  Operand<double> multipliers(channels, offset);
  const int64_t zero = draw(in, 0, 255), step = in.ConsumeBool() ? 37 : 0;
  for (int64_t o = 0; o < channels; ++o) {
    zeros[o] = static_cast<int32_t>(least(plan.weight_dtype) + (zero + step * o) % 256);
    bias[o] /= scaled ? 1 << 16 : 1;
    multipliers[o] = std::ldexp(1.0 + static_cast<double>(o % 7), -12);
  }

  std::vector<double> wide_x(wire.input_length), wide_w(wire.weight_length);
  for (int64_t i = 0; i < x.size(); ++i)
    wide_x[i] = static_cast<double>(value_of(x, conv.dtype, i) - plan.input_zero_point);
  for (int64_t i = 0; i < w.size(); ++i) {
    wide_w[i] =
        static_cast<double>(value_of(w, plan.weight_dtype, i) - zeros[i / (wire.weight_length / channels)]);
  }
  const std::vector<double> sums = reference_forward(conv, wide_x, wide_w);  // below 2^53
  const int64_t plane = conv.axis[0].out * conv.axis[1].out * conv.axis[2].out;
  for (const KernelTable& kernels : tables()) {
    const Context context{&kernels};
    Operand<uint8_t> narrow(scaled ? wire.output_length : 0, offset);
    Operand<int32_t> words(scaled ? 0 : wire.output_length, offset);
    const auto packed =
        pack_integer_conv(context, wire.conv, w.data(), zeros.data(), with_bias ? bias.data() : nullptr,
                          scaled ? multipliers.data() : nullptr);
    packed->run(context, x.data(), scaled ? static_cast<void*>(narrow.data()) : words.data());
    for (int64_t i = 0; i < wire.output_length; ++i) {
      const int64_t o = i / plane % channels;
      const auto sum = static_cast<int64_t>(sums[i]) + (with_bias ? bias[o] : 0);
      const auto wrapped = static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(sum)));
      int64_t expected = wrapped, got = scaled ? value_of(narrow, plan.output_dtype, i) : words[i];
      if (scaled) {
        const double low = static_cast<double>(least(plan.output_dtype));
        const double rounded = std::nearbyint(wrapped * multipliers[o]) + plan.output_zero_point;
        expected = static_cast<int64_t>(std::clamp(rounded, low, low + 255));
      }
      demand(got == expected, std::string(kernels.name) + (kernels.integer.quad_tile ? " quads" : " pairs") +
                                  ", " + described(conv) + ": element " + std::to_string(i) + " is " +
                                  std::to_string(got) + ", expected " + std::to_string(expected));
    }
  }
}

void check_product(FuzzedDataProvider& in) {
  const int64_t m = draw_size(in, 0, 70), n = draw_size(in, 0, 70), k = draw_size(in, 0, 200);
  if (m * n * k > kMostProducts) return;
  const DType bytes[] = {DType::i8, DType::u8};
  const DType a_dtype = in.PickValueInArray(bytes), b_dtype = in.PickValueInArray(bytes);
  const int64_t offset = draw(in, 0, 3);
  const auto seed = in.ConsumeIntegral<uint16_t>();
  const Operand<uint8_t> a = any_integers<uint8_t>(m * k, offset, seed),
                         b = any_integers<uint8_t>(k * n, offset, seed + 1);
  for (const KernelTable* kernels : available_kernels()) {
    Operand<int32_t> c(m * n, offset);
    matmul(Context{kernels}, a_dtype, b_dtype, m, n, k, a.data(), b.data(), c.data());
    for (int64_t i = 0; i < m * n; ++i) {
      int64_t expected = 0;
      for (int64_t l = 0; l < k; ++l)
        expected += value_of(a, a_dtype, i / n * k + l) * value_of(b, b_dtype, l * n + i % n);
      demand(c[i] == expected, std::string(kernels->name) + ": wrong product");
    }
  }
}

}  // namespace
}  // namespace convmat::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace convmat::test;
  FuzzedDataProvider in(data, size);
  try {
    in.ConsumeIntegralInRange(0, 3) == 0 ? check_product(in) : check_conv(in);
  } catch (const convmat::Refusal&) {
  }
  return 0;
}
