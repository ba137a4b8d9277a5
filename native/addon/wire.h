// Plans as they arrive: one Int32Array, read into the core's structures and re-checked against everything
// that could lead a kernel outside its arrays.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <vector>

#include "core/plan.h"

namespace convmat::addon {

struct WirePlan {
  ConvPlan conv;
  // Elements of x, w and y of the forward convolution.
  int64_t input_length, weight_length, output_length;
};

// op is one of the `operations` that the called function serves, as a set of bits 1 << op.
WirePlan read_conv_plan(napi_env env, napi_value value, unsigned operations);

constexpr unsigned operation(ConvOp op) { return 1u << static_cast<int>(op); }

struct WireIntegerPlan {
  IntegerConvPlan conv;
  int64_t input_length, weight_length, output_length;
};
WireIntegerPlan read_integer_plan(napi_env env, napi_value value);

struct WirePoolPlan {
  PoolPlan pool;
  int64_t input_length, output_length;
};
WirePoolPlan read_pool_plan(napi_env env, napi_value value);

struct WireFixedPlan {
  FixedConvPlan conv;
  // Elements of the image, the kernel and the result.
  int64_t image_length, kernel_length, output_length;
};
WireFixedPlan read_fixed_plan(napi_env env, napi_value value);

// The names of the fields, in order: JavaScript compares them with its own when it loads the addon.
extern const std::vector<const char*> kConvPlanFields;
extern const std::vector<const char*> kIntegerPlanFields;
extern const std::vector<const char*> kPoolPlanFields;
extern const std::vector<const char*> kFixedPlanFields;

}  // namespace convmat::addon
