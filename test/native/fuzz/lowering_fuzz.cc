// unfold and fold of any geometry, and products of matrices, against the definitions.
#include <algorithm>

#include "../reference.h"
#include "fuzz.h"
#include "ops/matmul.h"
#include "ops/unfold.h"
#include "plan/wire.h"

namespace convmat::test {
namespace {

template <typename T>
void check_lowering(const ConvPlan& plan, int64_t offset, uint32_t seed) {
  const int64_t taps = plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel;
  const int64_t outputs = plan.axis[0].out * plan.axis[1].out * plan.axis[2].out;
  const int64_t length = product({plan.batch, plan.in_channels, taps, outputs});
  if (length > kMostProducts || input_size(plan) > kMostElements) return;
  const Operand<T> x = whole_operand<T>(input_size(plan), offset, seed);
  const Operand<T> given = whole_operand<T>(length, offset, seed + 1);
  const std::vector<double> expected = reference_unfold(plan, x.widened());
  for (const KernelTable* kernels : available_kernels()) {
    const Context context{kernels};
    Operand<T> columns(length, offset), image(x.size(), offset);
    unfold(context, plan, x.data(), columns.data());
    demand(columns.widened() == expected, std::string(kernels->name) + ": wrong columns");
    if (plan.padding_mode != PaddingMode::zeros) continue;
    fold(context, plan, given.data(), image.data());
    const std::vector<double> folded = reference_fold(plan, given.widened());
    for (int64_t i = 0; i < image.size(); ++i)
      demand(image[i] == static_cast<T>(static_cast<int64_t>(folded[i])), "wrong image");
  }
}

void check_windows(FuzzedDataProvider& in) {
  ConvCase problem{};
  problem.mode = in.PickValueInArray(kModes);
  problem.batch = draw(in, 0, 2);
  problem.groups = 1;
  problem.in_channels = draw_size(in, 0, 20);
  problem.out_channels = 1;
  const int64_t rank = draw(in, 1, 3);
  for (int64_t i = 0; i < 3; ++i) {
    AxisCase& a = problem.axis[i];
    a = {1, 1};
    if (i < 3 - rank) continue;
    a = {draw_size(in, 0, 70), draw_size(in, 1, 9), draw(in, 1, 4), draw(in, 1, 3)};
    const int64_t most = problem.mode == PaddingMode::circular    ? a.in
                         : problem.mode == PaddingMode::reflect   ? a.in - 1
                         : problem.mode == PaddingMode::replicate ? (a.in > 0 ? 9 : 0)
                                                                  : 9;
    a.before = draw(in, 0, std::clamp<int64_t>(most, 0, 9));
    a.after = draw(in, 0, std::clamp<int64_t>(most, 0, 9));
  }
  const auto dtype = static_cast<DType>(draw(in, 0, 7));
  const ConvPlan plan =
      conv_plan(fields_of(plan_of(problem, ConvOp::forward, dtype)).data(), operation(ConvOp::forward)).conv;
  const int64_t offset = draw(in, 0, 3);
  const auto seed = in.ConsumeIntegral<uint16_t>();
  switch (dtype) {
    case DType::f32:
      return check_lowering<float>(plan, offset, seed);
    case DType::f64:
      return check_lowering<double>(plan, offset, seed);
    case DType::i8:
      return check_lowering<int8_t>(plan, offset, seed);
    case DType::u8:
      return check_lowering<uint8_t>(plan, offset, seed);
    case DType::i16:
      return check_lowering<int16_t>(plan, offset, seed);
    case DType::u16:
      return check_lowering<uint16_t>(plan, offset, seed);
    case DType::i32:
      return check_lowering<int32_t>(plan, offset, seed);
    default:
      return check_lowering<uint32_t>(plan, offset, seed);
  }
}

template <typename T>
void check_product(FuzzedDataProvider& in) {
  const int64_t m = draw_size(in, 0, 70), n = draw_size(in, 0, 70), k = draw_size(in, 0, 400);
  if (m * n * k > kMostProducts) return;
  const int64_t offset = draw(in, 0, 3);
  const auto seed = in.ConsumeIntegral<uint16_t>();
  const Operand<T> a = whole_operand<T>(m * k, offset, seed), b = whole_operand<T>(k * n, offset, seed + 1);
  const DType dtype = sizeof(T) == 4 ? DType::f32 : DType::f64;
  for (const KernelTable* kernels : available_kernels()) {
    Operand<T> c(m * n, offset);
    matmul(Context{kernels}, dtype, dtype, m, n, k, a.data(), b.data(), c.data());
    for (int64_t i = 0; i < m * n; ++i) {
      T expected{0};
      for (int64_t l = 0; l < k; ++l) expected += a[i / n * k + l] * b[l * n + i % n];
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
    switch (in.ConsumeIntegralInRange(0, 4)) {
      case 0:
        check_product<float>(in);
        break;
      case 1:
        check_product<double>(in);
        break;
      default:
        check_windows(in);
    }
  } catch (const convmat::Refusal&) {
  }
  return 0;
}
