// The product of two matrices.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/aligned.h"
#include "runtime/context.h"
#include "table/table.h"

namespace convmat {

// c[m][n] = a[m][k] * b[k][n]. f32, f64; i8 and u8 in any mix into i32, exact modulo 2^32.
void matmul(const Context&, DType a_dtype, DType b_dtype, int64_t m, int64_t n, int64_t k, const void* a,
            const void* b, void* c);

// A second factor that is packed once: b[k][n], of which nothing is kept.
class PackedMatrix {
 public:
  PackedMatrix(const Kernels<float>& kernels, int64_t k, int64_t n, const float* b);
  size_t bytes() const { return panels_.bytes(); }
  // c[m][n] = a[m][k] * b[k][n]
  void multiply(const Context& context, int64_t m, const float* a, float* c) const;

 private:
  const int64_t k_, n_, width_;
  AlignedArray<float> panels_;  // [panel][k][width], zeros beyond n
};

}  // namespace convmat
