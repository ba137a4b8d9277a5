// The product of two matrices.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// c[m][n] = a[m][k] * b[k][n]. f32, f64; i8 and u8 in any mix into i32, exact modulo 2^32.
void matmul(const Context&, DType a_dtype, DType b_dtype, int64_t m, int64_t n, int64_t k, const void* a,
            const void* b, void* c);

}  // namespace convmat
