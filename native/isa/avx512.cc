#define CONVMAT_ISA avx512

#include "core/kernel_table.h"
#include "simd/vec_avx512.h"

namespace convmat::avx512 {
namespace {

// 28 (24) accumulators, a row of B and broadcasts fit the 32 registers.
constexpr int kGemmMr = 14, kGemmNv = 2;
constexpr int kGemmWideMr = 6, kGemmWideNv = 4;

template <typename T>
constexpr GemmBlocking gemm_blocking(int kc, int c_bytes, float fma_per_ns) {
  return {kGemmMr,   kGemmNv * Vec<T>::lanes, kGemmWideMr, kGemmWideNv * Vec<T>::lanes, kc, c_bytes,
          fma_per_ns};
}

}  // namespace
}  // namespace convmat::avx512

#include "kernels/fft-inl.h"
#include "kernels/gemm-inl.h"
#include "kernels/im2col-inl.h"
#include "kernels/transpose-inl.h"

namespace convmat::avx512 {

extern const KernelTable kernels;
const KernelTable kernels = {
    "avx512",
    gemm_blocking<float>(384, 256 << 10, 56),
    gemm_blocking<double>(256, 256 << 10, 28),
#define CONVMAT_KERNEL(field, function, type) function,
#include "kernels/kernels.inc"
#undef CONVMAT_KERNEL
};

}  // namespace convmat::avx512
