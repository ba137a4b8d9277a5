// Plans as they arrive: one Int32Array, read into the core's structures and re-checked against everything
// that could lead a kernel outside its arrays.
#pragma once

#include <node_api.h>

#include <cstdint>

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

// The names of the plan's fields, in order: JavaScript compares them with its own when it loads the addon.
napi_value plan_field_names(napi_env env);

}  // namespace convmat::addon
