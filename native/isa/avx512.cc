#define CONVMAT_ISA avx512

#include "simd/vec_avx512.h"
#include "table/table.h"

namespace convmat::avx512 {
namespace {

// 28 (24) accumulators, a row of B and broadcasts fit the 32 registers.
constexpr int kGemmMr = 14, kGemmNv = 2;
constexpr int kGemmWideMr = 6, kGemmWideNv = 4;

template <typename T>
constexpr GemmBlocking gemm_blocking(int kc, int b_bytes, int c_bytes, float fma_per_ns) {
  return {kGemmMr,   kGemmNv * Vec<T>::lanes, kGemmWideMr, kGemmWideNv * Vec<T>::lanes, kc, b_bytes, c_bytes,
          fma_per_ns};
}

// 28 accumulators and 4 weight vectors fill the 32 registers; the pixels are embedded broadcasts.
constexpr int kDirectNv = 4, kDirectAccumulators = 28, kDirectPixels = 14;

// 14 accumulators and 9 weights fit the 32 registers. Maps of 7, 14, 28 ... rows are whole tiles.
constexpr int kDepthwiseRows = 7, kDepthwiseNv = 2;
#define CONVMAT_UNROLL_TAPS CONVMAT_UNROLL

template <typename T>
constexpr DirectBlocking direct_blocking = {Vec<T>::lanes, kDirectNv, kDirectAccumulators, kDirectPixels};

// 28 accumulators, 2 weight vectors and a pixel fit the 32 registers.
constexpr int kIntegerNv = 2;
constexpr DirectBlocking integer_blocking = {Vec<int32_t>::lanes, kIntegerNv, 28, 14};

}  // namespace
}  // namespace convmat::avx512

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

namespace convmat::avx512 {

extern const KernelTable kernels;
const KernelTable kernels = {
    "avx512",
    gemm_blocking<float>(384, 512 << 10, 256 << 10, 56),
    gemm_blocking<double>(384, 512 << 10, 256 << 10, 28),
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

}  // namespace convmat::avx512
