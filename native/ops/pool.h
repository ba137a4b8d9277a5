// Pooling, and the adjoint of max pooling.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// Pooling of every channel plane, exactly as PyTorch's. `indices`, when given, receives each maximum's flat
// spatial index in the input. max_pool takes every dtype, avg_pool f32 and f64.
void max_pool(const Context&, const PoolPlan&, const void* input, void* output, int32_t* indices);
void avg_pool(const Context&, const PoolPlan&, const void* input, void* output);

// The adjoint of max pooling: dx[plane][indices[plane][o]] += dy[plane][o], and 0 elsewhere. f32, f64. False,
// with an unspecified result, when an index leads outside its plane: nothing is written there.
bool max_pool_grad(DType dtype, int64_t planes, int64_t outputs, int64_t inputs, const void* grad_output,
                   const int32_t* indices, void* grad_input);

}  // namespace convmat
