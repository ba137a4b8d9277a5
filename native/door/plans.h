// Plans as arguments of a call.
#pragma once

#include "door/call.h"
#include "plan/wire.h"

namespace convmat::door {

inline const int32_t* read_plan_fields(const Value& value, const std::vector<const char*>& names) {
  const auto count = static_cast<int64_t>(names.size());
  return static_cast<const int32_t*>(read_elements(value, DType::i32, count, "plan"));
}
inline WirePlan read_conv_plan(const Value& value, unsigned operations) {
  return conv_plan(read_plan_fields(value, kConvPlanFields), operations);
}
inline WireIntegerPlan read_integer_plan(const Value& value) {
  return integer_conv_plan(read_plan_fields(value, kIntegerPlanFields));
}
inline WirePoolPlan read_pool_plan(const Value& value) {
  return pool_plan(read_plan_fields(value, kPoolPlanFields));
}
inline WireFixedPlan read_fixed_plan(const Value& value) {
  return fixed_conv_plan(read_plan_fields(value, kFixedPlanFields));
}

}  // namespace convmat::door
