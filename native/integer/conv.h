// Convolution of 8-bit integers as ONNX defines it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// Weights in the layout that the kernels read: immutable, so that any number of threads may run with it at
// once.
class PackedIntegerConv {
 public:
  virtual ~PackedIntegerConv() = default;
  virtual size_t bytes() const = 0;
  // sum[n,o,i] = bias[o] + sum over c and taps of (x - input_zero_point) (w - weight_zero_points[o]), modulo
  // 2^32; padding adds nothing. The result is the sum, or, saturated to the output's dtype,
  //   round(sum * multipliers[o]) + output_zero_point, halves to even
  virtual void run(const Context&, const void* input, void* output) const = 0;
};

// weight: OIHW. weight_zero_points: one per output channel. bias: likewise, or null. multipliers: likewise,
// for an output of 8 bits. The kernels must be those of the runs' contexts.
std::shared_ptr<const PackedIntegerConv> pack_integer_conv(const Context&, const IntegerConvPlan&,
                                                           const void* weight,
                                                           const int32_t* weight_zero_points,
                                                           const int32_t* bias, const double* multipliers);

}  // namespace convmat
