#define CONVMAT_ISA neon

#include "simd/vec_neon.h"

namespace convmat::neon {
namespace {

// 24 accumulators, a row of B and broadcasts fit the 32 registers.
constexpr int kGemmMr = 8, kGemmNv = 3;
constexpr int kGemmWideMr = 4, kGemmWideNv = 6;
constexpr float kFmaPerNs = 24;

// 24 accumulators, 4 weight vectors and the pixels fit the 32 registers.
constexpr int kDirectNv = 4, kDirectAccumulators = 24, kDirectPixels = 12;

// 14 accumulators and 9 weights fit the 32 registers. Maps of 7, 14, 28 ... rows are whole tiles.
constexpr int kDepthwiseRows = 7, kDepthwiseNv = 2;
#define CONVMAT_UNROLL_TAPS CONVMAT_UNROLL

constexpr int kIntegerNv = kDirectNv, kIntegerAccumulators = kDirectAccumulators,
              kIntegerPixels = kDirectPixels;

}  // namespace
}  // namespace convmat::neon

#include "isa/body.inc"
