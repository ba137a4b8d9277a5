// unfold and fold of every element type against their definition.
#include "ops/unfold.h"

#include <vector>

#include "reference.h"
#include "support.h"

namespace convmat::test {
namespace {

template <typename T>
void check(DType dtype) {
  const Context context{&best_kernels()};
  for (const ConvCase& problem : conv_cases()) {
    SCOPED_TRACE(problem.name);
    const ConvPlan plan = plan_of(problem, ConvOp::forward, dtype);
    const std::vector<T> x = whole_numbers<T>(input_size(plan), 1);
    const std::vector<double> expected = reference_unfold(plan, {x.begin(), x.end()});
    std::vector<T> columns(expected.size(), T{77});
    unfold(context, plan, x.data(), columns.data());
    EXPECT_EQ(std::vector<double>(columns.begin(), columns.end()), expected);

    if (problem.mode != PaddingMode::zeros) continue;
    const std::vector<T> values = whole_numbers<T>(static_cast<int64_t>(expected.size()), 2);
    const std::vector<double> sums = reference_fold(plan, {values.begin(), values.end()});
    std::vector<T> folded(x.size(), T{77});
    fold(context, plan, values.data(), folded.data());
    for (size_t i = 0; i < folded.size(); ++i) {
      ASSERT_EQ(folded[i], static_cast<T>(static_cast<int64_t>(sums[i]))) << i;  // integers wrap
    }
  }
}

TEST(Unfold, Float32) { check<float>(DType::f32); }
TEST(Unfold, Float64) { check<double>(DType::f64); }
TEST(Unfold, Int8) { check<int8_t>(DType::i8); }
TEST(Unfold, Uint8) { check<uint8_t>(DType::u8); }
TEST(Unfold, Int16) { check<int16_t>(DType::i16); }
TEST(Unfold, Uint16) { check<uint16_t>(DType::u16); }
TEST(Unfold, Int32) { check<int32_t>(DType::i32); }
TEST(Unfold, Uint32) { check<uint32_t>(DType::u32); }

}  // namespace
}  // namespace convmat::test
