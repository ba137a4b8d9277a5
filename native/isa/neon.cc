#define CONVMAT_ISA neon

#include "simd/vec_neon.h"
#include "table/table.h"

namespace convmat::neon {
namespace {

// 24 accumulators, a row of B and broadcasts fit the 32 registers.
constexpr int kGemmMr = 8, kGemmNv = 3;
constexpr int kGemmWideMr = 4, kGemmWideNv = 6;

template <typename T>
constexpr GemmBlocking gemm_blocking(int kc, int b_bytes, int c_bytes, float fma_per_ns) {
  return {kGemmMr,   kGemmNv * Vec<T>::lanes, kGemmWideMr, kGemmWideNv * Vec<T>::lanes, kc, b_bytes, c_bytes,
          fma_per_ns};
}

// 24 accumulators, 4 weight vectors and the pixels fit the 32 registers.
constexpr int kDirectNv = 4, kDirectAccumulators = 24, kDirectPixels = 12;

// 14 accumulators and 9 weights fit the 32 registers. Maps of 7, 14, 28 ... rows are whole tiles.
constexpr int kDepthwiseRows = 7, kDepthwiseNv = 2;
#define CONVMAT_UNROLL_TAPS CONVMAT_UNROLL

template <typename T>
constexpr DirectBlocking direct_blocking = {Vec<T>::lanes, kDirectNv, kDirectAccumulators, kDirectPixels};

constexpr int kIntegerNv = kDirectNv;
constexpr DirectBlocking integer_blocking = {Vec<int32_t>::lanes, kIntegerNv, kDirectAccumulators,
                                             kDirectPixels};

}  // namespace
}  // namespace convmat::neon

#include "kernels/csr-inl.h"
#include "kernels/depthwise-inl.h"
#include "kernels/direct-inl.h"
#include "kernels/fft-inl.h"
#include "kernels/fixed-inl.h"
#include "kernels/frame-inl.h"
#include "kernels/gemm-inl.h"
#include "kernels/im2col-inl.h"
#include "kernels/integer-inl.h"
#include "kernels/pair_gemm-inl.h"
#include "kernels/toeplitz-inl.h"
#include "kernels/transpose-inl.h"
#include "kernels/weight_grad-inl.h"
#include "kernels/winograd-inl.h"

namespace convmat::neon {

extern const KernelTable kernels;
const KernelTable kernels = {
    "neon",
    gemm_blocking<float>(384, 512 << 10, 256 << 10, 24),
    gemm_blocking<double>(384, 512 << 10, 256 << 10, 12),
    direct_blocking<float>,
    direct_blocking<double>,
    toeplitz_blocking<float>,
    toeplitz_blocking<double>,
    integer_blocking,
    signed_quads,
#define CONVMAT_KERNEL(field, function, type) function,
#include "table/kernels.inc"
#undef CONVMAT_KERNEL
};

}  // namespace convmat::neon
