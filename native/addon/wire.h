// Plans as arguments of a call.
#pragma once

#include <node_api.h>

#include "addon/door.h"
#include "core/wire.h"

namespace convmat::addon {

inline const int32_t* read_plan_fields(napi_env env, napi_value value,
                                       const std::vector<const char*>& names) {
  const auto count = static_cast<int64_t>(names.size());
  return static_cast<const int32_t*>(read_elements(env, value, DType::i32, count, "plan"));
}
inline WirePlan read_conv_plan(napi_env env, napi_value value, unsigned operations) {
  return conv_plan(read_plan_fields(env, value, kConvPlanFields), operations);
}
inline WireIntegerPlan read_integer_plan(napi_env env, napi_value value) {
  return integer_conv_plan(read_plan_fields(env, value, kIntegerPlanFields));
}
inline WirePoolPlan read_pool_plan(napi_env env, napi_value value) {
  return pool_plan(read_plan_fields(env, value, kPoolPlanFields));
}
inline WireFixedPlan read_fixed_plan(napi_env env, napi_value value) {
  return fixed_conv_plan(read_plan_fields(env, value, kFixedPlanFields));
}

}  // namespace convmat::addon
