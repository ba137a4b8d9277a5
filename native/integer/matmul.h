// The product of two matrices of 8-bit integers.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// c[m][n] = a[m][k] * b[k][n], of i8 and u8 in any mix, exact modulo 2^32.
void integer_matmul(const Context&, DType a_dtype, DType b_dtype, int64_t m, int64_t n, int64_t k,
                    const void* a, const void* b, int32_t* c);

}  // namespace convmat
