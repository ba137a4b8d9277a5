// Fixed-point convolution of planes, on stored integers.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// The narrowest integers that hold the word.
DType word_dtype(const FixedConvPlan&);

void fixed_conv2(const Context&, const FixedConvPlan&, DType image_dtype, const void* image,
                 DType kernel_dtype, const void* kernel, void* out);

}  // namespace convmat
