#define CONVMAT_ISA avx2

#include "simd/vec_avx2.h"
#include "table/table.h"

namespace convmat::avx2 {
namespace {

// 12 accumulators, a row of B and a broadcast fit the 16 registers.
constexpr int kGemmMr = 6, kGemmNv = 2;
constexpr int kGemmWideMr = 3, kGemmWideNv = 4;

template <typename T>
constexpr GemmBlocking gemm_blocking(int kc, int b_bytes, int c_bytes, float fma_per_ns) {
  return {kGemmMr,   kGemmNv * Vec<T>::lanes, kGemmWideMr, kGemmWideNv * Vec<T>::lanes, kc, b_bytes, c_bytes,
          fma_per_ns};
}

// 12 accumulators, 2 weight vectors and a pixel fit the 16 registers.
constexpr int kDirectNv = 2, kDirectAccumulators = 12, kDirectPixels = 12;

// 7 accumulators, some of the weights and a vector of pixels fit the 16 registers. Maps of 7, 14, 28 ... rows
// are whole tiles.
constexpr int kDepthwiseRows = 7, kDepthwiseNv = 1;
#define CONVMAT_UNROLL_TAPS CONVMAT_UNROLL

template <typename T>
constexpr DirectBlocking direct_blocking = {Vec<T>::lanes, kDirectNv, kDirectAccumulators, kDirectPixels};

// 12 accumulators, 2 weight vectors, a pixel and a product fit the 16 registers.
constexpr int kIntegerNv = 2;
constexpr DirectBlocking integer_blocking = {Vec<int32_t>::lanes, kIntegerNv, 12, 6};

}  // namespace
}  // namespace convmat::avx2

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

namespace convmat::avx2 {

extern const KernelTable kernels;
const KernelTable kernels = {
    "avx2",
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

}  // namespace convmat::avx2
