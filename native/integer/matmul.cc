// On tiles, the rows of a are the weights of a convolution of 1 x 1 taps, whose pixels are the columns of b.
#include "integer/matmul.h"

#include <vector>

#include "integer/ways.h"
#include "ops/matmul.h"

namespace convmat {
namespace {

// Packing a takes as long as this many columns of the product by vectors.
constexpr int64_t kLeastColumns = 64;

IntegerConvPlan pointwise_plan(DType a_dtype, DType b_dtype, int64_t m, int64_t n, int64_t k) {
  IntegerConvPlan plan{};
  plan.conv.op = ConvOp::forward;
  plan.conv.dtype = b_dtype;
  plan.conv.padding_mode = PaddingMode::zeros;
  plan.conv.batch = plan.conv.groups = 1;
  plan.conv.in_channels = k;
  plan.conv.out_channels = m;
  plan.conv.axis[0] = plan.conv.axis[1] = {1, 1, 1, 1, 0, 0, 1};
  plan.conv.axis[2] = {n, 1, 1, 1, 0, 0, n};
  plan.weight_dtype = a_dtype;
  plan.output_dtype = DType::i32;
  return plan;
}

}  // namespace

void integer_matmul(const Context& context, DType a_dtype, DType b_dtype, int64_t m, int64_t n, int64_t k,
                    const void* a, const void* b, int32_t* c) {
  const IntegerConvPlan plan = pointwise_plan(a_dtype, b_dtype, m, n, k);
  if (n < kLeastColumns || !worth_integer_tiles(context, plan)) {
    return matmul(context, a_dtype, b_dtype, m, n, k, a, b, c);
  }
  const std::vector<int32_t> zeros(static_cast<size_t>(m));
  pack_integer_tiles(context, plan, static_cast<const uint8_t*>(a), zeros.data(), nullptr, nullptr)
      ->run(context, b, c);
}

}  // namespace convmat
