#define CONVMAT_ISA generic

#include "simd/vec_generic.h"
#include "table/table.h"

namespace convmat::generic {
namespace {

// 8 accumulators, a row of B and a broadcast fit the 16 registers of SSE2.
constexpr int kGemmMr = 4, kGemmNv = 2;
constexpr int kGemmWideMr = 2, kGemmWideNv = 4;

template <typename T>
constexpr GemmBlocking gemm_blocking(int kc, int b_bytes, int c_bytes, float fma_per_ns) {
  return {kGemmMr,   kGemmNv * Vec<T>::lanes, kGemmWideMr, kGemmWideNv * Vec<T>::lanes, kc, b_bytes, c_bytes,
          fma_per_ns};
}

// 8 accumulators, 2 weight vectors, a pixel and a product fit the 16 registers of SSE2.
constexpr int kDirectNv = 2, kDirectAccumulators = 8, kDirectPixels = 8;

// Little code, for machines that have nothing better: loops over taps stay loops.
constexpr int kDepthwiseRows = 2, kDepthwiseNv = 1;
#define CONVMAT_UNROLL_TAPS

template <typename T>
constexpr DirectBlocking direct_blocking = {Vec<T>::lanes, kDirectNv, kDirectAccumulators, kDirectPixels};

constexpr int kIntegerNv = kDirectNv;
constexpr DirectBlocking integer_blocking = {Vec<int32_t>::lanes, kIntegerNv, kDirectAccumulators,
                                             kDirectPixels};

}  // namespace
}  // namespace convmat::generic

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

namespace convmat::generic {

extern const KernelTable kernels;
const KernelTable kernels = {
    "generic",
    gemm_blocking<float>(384, 512 << 10, 256 << 10, 8),
    gemm_blocking<double>(384, 512 << 10, 256 << 10, 4),
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

}  // namespace convmat::generic
