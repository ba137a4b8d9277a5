// Plans as they arrive: the fields of one Int32Array, read into the core's structures and re-checked against
// everything that could lead a kernel outside its arrays.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace convmat {

// What the core cannot safely be called with: an ArgumentError in JavaScript.
class Refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The product of sizes that are 0 or more: refused past what a byte count can hold.
int64_t checked_product(std::initializer_list<int64_t> sizes);

// Names a value inside an error's message.
std::string quantity(int64_t n);

// The names of the fields, in order: JavaScript compares them with its own when it loads the addon.
extern const std::vector<const char*> kConvPlanFields;
extern const std::vector<const char*> kIntegerPlanFields;
extern const std::vector<const char*> kPoolPlanFields;
extern const std::vector<const char*> kFixedPlanFields;

// The values' names of each enumeration that a plan holds, in order, for the same comparison.
struct Enumeration {
  const char* name;  // as the fields that hold it
  std::vector<const char*> values;
};
extern const std::vector<Enumeration> kEnumerations;
const char* algorithm_name(Algorithm algorithm);
const char* dtype_name(DType dtype);
const char* op_name(ConvOp op);

struct WirePlan {
  ConvPlan conv;
  // Elements of x, w and y of the forward convolution.
  int64_t input_length, weight_length, output_length;
};

struct WireIntegerPlan {
  IntegerConvPlan conv;
  int64_t input_length, weight_length, output_length;
};

struct WirePoolPlan {
  PoolPlan pool;
  int64_t input_length, output_length;
};

struct WireFixedPlan {
  FixedConvPlan conv;
  // Elements of the image, the kernel and the result.
  int64_t image_length, kernel_length, output_length;
};

constexpr unsigned operation(ConvOp op) { return 1u << static_cast<int>(op); }

// Each of as many values as it has fields, read once. A convolution's op is one of the `operations` that are
// served, as a set of bits 1 << op.
WirePlan conv_plan(const int32_t* values, unsigned operations);
WireIntegerPlan integer_conv_plan(const int32_t* values);
WirePoolPlan pool_plan(const int32_t* values);
WireFixedPlan fixed_conv_plan(const int32_t* values);

}  // namespace convmat
