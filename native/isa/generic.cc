#define CONVMAT_ISA generic

#include "simd/vec_generic.h"

namespace convmat::generic {
namespace {

// 8 accumulators, a row of B and a broadcast fit the 16 registers of SSE2.
constexpr int kGemmMr = 4, kGemmNv = 2;
constexpr int kGemmWideMr = 2, kGemmWideNv = 4;
constexpr float kFmaPerNs = 8;

// 8 accumulators, 2 weight vectors, a pixel and a product fit the 16 registers of SSE2.
constexpr int kDirectNv = 2, kDirectAccumulators = 8, kDirectPixels = 8;

// Little code, for machines that have nothing better: loops over taps stay loops.
constexpr int kDepthwiseRows = 2, kDepthwiseNv = 1;
#define CONVMAT_UNROLL_TAPS

constexpr int kIntegerNv = kDirectNv, kIntegerAccumulators = kDirectAccumulators,
              kIntegerPixels = kDirectPixels;

}  // namespace
}  // namespace convmat::generic

#include "isa/body.inc"
