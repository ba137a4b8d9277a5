// Arrays of one length, an element at a time. f32 and f64; results may be operands.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// y <-- max(x, 0); NaN stays.
void rectify(const Context&, DType dtype, int64_t n, const void* x, void* y);

// dx <-- g where the rectified y is not 0, else 0.
void rectify_grad(const Context&, DType dtype, int64_t n, const void* g, const void* y, void* dx);

// y <-- a + b, and max(y, 0) when it is rectified.
void sum_elements(const Context&, DType dtype, int64_t n, const void* a, const void* b, bool is_rectified,
                  void* y);

}  // namespace convmat
