// Arithmetic of long vectors: what a solver does between two products. f32 and f64.
#pragma once

#include <cstdint>

#include "plan/plan.h"

namespace convmat {

// y <-- a * x + b * y, and nothing of the old y where b is 0; returns the sum of the new y's squares, in
// double.
double vector_combine(DType dtype, int64_t n, double a, const void* x, double b, void* y);

// The sum of x[i] * y[i], in double.
double vector_dot(DType dtype, int64_t n, const void* x, const void* y);

}  // namespace convmat
