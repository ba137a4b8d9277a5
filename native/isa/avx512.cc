#define CONVMAT_ISA avx512

#include "core/kernel_table.h"
#include "simd/vec_avx512.h"

namespace convmat::avx512 {
namespace {

// 28 (24) accumulators, a row of B and broadcasts fit the 32 registers.
constexpr int kGemmMr = 14, kGemmNv = 2;
constexpr int kGemmWideMr = 6, kGemmWideNv = 4;

template <typename T>
constexpr GemmBlocking gemm_blocking(int kc, int nc_bytes) {
  return {kGemmMr, kGemmNv * Vec<T>::lanes, kGemmWideMr, kGemmWideNv * Vec<T>::lanes, kc, nc_bytes};
}

}  // namespace
}  // namespace convmat::avx512

#include "kernels/gemm-inl.h"

namespace convmat::avx512 {

extern const KernelTable kernels;
const KernelTable kernels = {
    "avx512",
    gemm_blocking<float>(256, 256 << 10),
    gemm_blocking<double>(256, 256 << 10),
#define CONVMAT_KERNEL(field, function, type) function,
#include "kernels/kernels.inc"
#undef CONVMAT_KERNEL
};

}  // namespace convmat::avx512
