// Plans as they arrive: what is let through is sound, what is not is refused by a text that says what came.
#include "plan/wire.h"

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

using Fields = std::vector<int32_t>;

size_t place_of(const std::vector<const char*>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  EXPECT_NE(found, names.end()) << name;
  return static_cast<size_t>(found - names.begin());
}

// in, kernel, stride, dilation, padBefore, padAfter, out
const Fields kDepth = {1, 1, 1, 1, 0, 0, 1}, kHeight = {9, 3, 2, 1, 1, 1, 5},
             kWidth = {11, 2, 1, 3, 0, 2, 10};

Fields joined(const std::vector<Fields>& parts) {
  Fields all;
  for (const Fields& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}
// op, dtype, algorithm, variant, paddingMode, precision, batch, groups, inChannels, outChannels
Fields conv_fields() { return joined({{0, 0, 0, 0, 0, 0, 2, 2, 4, 6}, kDepth, kHeight, kWidth}); }
Fields integer_fields() {
  Fields fields = joined({conv_fields(), {2, 3, -5, 200}});
  fields[1] = static_cast<int32_t>(DType::u8);
  return fields;
}
Fields pool_fields() { return joined({{0, 3, 1}, kDepth, kHeight, kWidth}); }
Fields fixed_fields() { return {9, 8, 2, 3, 2, 1, 1, 9, 8, 32, 7, 0, 0, 0, 1, 16}; }

template <typename Read>
std::string refusal_of(Read read) {
  try {
    read();
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
  return "";
}

constexpr unsigned kEveryOp =
    operation(ConvOp::forward) | operation(ConvOp::input_grad) | operation(ConvOp::weight_grad);

std::string conv_refusal(const char* field, int32_t value, unsigned operations = kEveryOp) {
  Fields fields = conv_fields();
  fields[place_of(kConvPlanFields, field)] = value;
  return refusal_of([&] { conv_plan(fields.data(), operations); });
}

TEST(Wire, SoundPlansAreRead) {
  const Fields fields = conv_fields();
  ASSERT_EQ(fields.size(), kConvPlanFields.size());
  const WirePlan plan = conv_plan(fields.data(), kEveryOp);
  EXPECT_EQ(plan.input_length, 2 * 4 * 9 * 11);
  EXPECT_EQ(plan.weight_length, 6 * 2 * 3 * 2);
  EXPECT_EQ(plan.output_length, 2 * 6 * 5 * 10);
  EXPECT_EQ(plan.conv.axis[1].stride, 2);
  ASSERT_EQ(integer_fields().size(), kIntegerPlanFields.size());
  EXPECT_EQ(integer_conv_plan(integer_fields().data()).conv.output_zero_point, 200);
  ASSERT_EQ(pool_fields().size(), kPoolPlanFields.size());
  EXPECT_EQ(pool_plan(pool_fields().data()).output_length, 3 * 5 * 10);
  ASSERT_EQ(fixed_fields().size(), kFixedPlanFields.size());
  EXPECT_EQ(fixed_conv_plan(fixed_fields().data()).kernel_length, 6);
}

TEST(Wire, RefusalsSayWhatWasExpectedAndWhatCame) {
  EXPECT_EQ(conv_refusal("op", 3), "plan.op: expected at least 0 and at most 2, got 3");
  EXPECT_EQ(conv_refusal("op", 1, operation(ConvOp::forward)),
            "plan.op: expected an operation of this function, got inputGrad");
  EXPECT_EQ(conv_refusal("dtype", kValues<DType>), "plan.dtype: expected at least 0 and at most 7, got 8");
  EXPECT_EQ(conv_refusal("precision", 2), "plan.precision: expected at least 0 and at most 1, got 2");
  for (const DType dtype : {DType::f64, DType::u8}) {
    Fields fields = conv_fields();
    fields[place_of(kConvPlanFields, "dtype")] = static_cast<int32_t>(dtype);
    fields[place_of(kConvPlanFields, "precision")] = static_cast<int32_t>(Precision::bf16);
    EXPECT_EQ(refusal_of([&] { conv_plan(fields.data(), kEveryOp); }),
              "plan.precision: expected float32 but for products of float32 with the weight, got bf16");
  }
  EXPECT_EQ(conv_refusal("groups", 0), "plan.groups: expected at least 1 and at most 2147483647, got 0");
  EXPECT_EQ(conv_refusal("groups", 4),
            "plan.groups: expected a divisor of both channel counts, 4 and 6, got 4");
  EXPECT_EQ(conv_refusal("height.out", 6),
            "plan: expected windows inside the 11 elements of the padded input, got one up to 13");
  EXPECT_EQ(conv_refusal("width.stride", 0),
            "plan.width.stride: expected at least 1 and at most 2147483647, got 0");
  Fields mirrored = conv_fields();
  mirrored[place_of(kConvPlanFields, "paddingMode")] = static_cast<int32_t>(PaddingMode::reflect);
  mirrored[place_of(kConvPlanFields, "height.padAfter")] = 9;
  EXPECT_EQ(refusal_of([&] { conv_plan(mirrored.data(), kEveryOp); }),
            "plan: expected padding that the input can fill, got 9 beside 9 elements");
  Fields huge = conv_fields();
  for (const char* field : {"batch", "inChannels", "outChannels"})
    huge[place_of(kConvPlanFields, field)] = INT32_MAX - 1;
  EXPECT_NE(
      refusal_of([&] { conv_plan(huge.data(), kEveryOp); }).find("expected sizes whose product is at most"),
      std::string::npos);

  Fields words = integer_fields();
  words[1] = static_cast<int32_t>(DType::f32);
  EXPECT_EQ(refusal_of([&] { integer_conv_plan(words.data()); }),
            "plan.dtype: expected int8 or uint8, got float32");
  words = integer_fields();
  words[place_of(kIntegerPlanFields, "outputDType")] = static_cast<int32_t>(DType::u16);
  EXPECT_EQ(refusal_of([&] { integer_conv_plan(words.data()); }),
            "plan.outputDType: expected int8, uint8 or int32, got uint16");

  Fields pool = pool_fields();
  pool[place_of(kPoolPlanFields, "width.in")] = 0;
  EXPECT_NE(refusal_of([&] { pool_plan(pool.data()); }).find("got one up to"), std::string::npos);

  Fields fixed = fixed_fields();
  fixed[place_of(kFixedPlanFields, "shift")] = 32;
  EXPECT_EQ(refusal_of([&] { fixed_conv_plan(fixed.data()); }),
            "plan.shift: expected less than plan.bits, 32, got 32");
}

void expect_sound(const Axis& axis, PaddingMode mode) {
  ASSERT_TRUE(axis.in >= 0 && axis.kernel >= 1 && axis.stride >= 1 && axis.dilation >= 1 && axis.out >= 0);
  if (axis.out == 0) return;
  const int64_t last = (axis.out - 1) * axis.stride + (axis.kernel - 1) * axis.dilation - axis.pad_before;
  EXPECT_LT(last, axis.in + axis.pad_after);
  if (mode == PaddingMode::reflect && axis.pad_before + axis.pad_after > 0) {
    EXPECT_LT(std::max(axis.pad_before, axis.pad_after), axis.in);
  }
}

// One field after the other, and several at once, hold what nobody sends: refused with both halves of the
// text, or sound.
TEST(Wire, WhateverComesIsSoundOrRefused) {
  const int32_t lies[] = {
      std::numeric_limits<int32_t>::min(), -1, 0, 1, 2, 3, 7, 1000, 65536, 1 << 30, INT32_MAX};
  std::mt19937 random(1);
  int refused = 0, read = 0;
  const auto attempt = [&](const Fields& fields) {
    WirePlan plan;
    const std::string text = refusal_of([&] { plan = conv_plan(fields.data(), kEveryOp); });
    if (!text.empty()) {
      ++refused;
      EXPECT_EQ(text.rfind("plan", 0), 0u) << text;
      EXPECT_NE(text.find(": expected "), std::string::npos) << text;
      EXPECT_NE(text.find(", got "), std::string::npos) << text;
      return;
    }
    ++read;
    for (const Axis& axis : plan.conv.axis) expect_sound(axis, plan.conv.padding_mode);
    EXPECT_EQ(plan.conv.in_channels % plan.conv.groups, 0);
    EXPECT_EQ(plan.conv.out_channels % plan.conv.groups, 0);
    EXPECT_TRUE(plan.input_length >= 0 && plan.weight_length >= 0 && plan.output_length >= 0);
  };
  for (size_t at = 0; at < kConvPlanFields.size(); ++at) {
    for (const int32_t lie : lies) {
      Fields fields = conv_fields();
      fields[at] = lie;
      attempt(fields);
    }
  }
  for (int round = 0; round < 20000; ++round) {
    Fields fields = conv_fields();
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      fields[random() % fields.size()] =
          random() % 2 == 0 ? lies[random() % std::size(lies)] : static_cast<int32_t>(random() % 12);
    }
    attempt(fields);
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(read, 100);
}

TEST(Wire, ProductsOfSizesAreCountable) {
  constexpr int64_t most = std::numeric_limits<int64_t>::max() / 8;
  EXPECT_EQ(checked_product({}), 1);
  EXPECT_EQ(checked_product({most, 0, most}), 0);
  EXPECT_EQ(checked_product({most}), most);
  EXPECT_EQ(refusal_of([] {
              checked_product({most, 2});
            }),
            "plan: expected sizes whose product is at most " + quantity(most) + ", got " + quantity(most) +
                " times 2");
}

}  // namespace
}  // namespace convmat::test
