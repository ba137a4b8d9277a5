// Not on macOS (lists/isas.json): it lends a thread the 512-bit registers once it has used them, and XCR0
// denies them until then, so that the kernels would never be chosen.
#define CONVMAT_ISA avx512

#include "simd/vec_avx512.h"

namespace convmat::avx512 {
namespace {

// 28 (24) accumulators, a row of B and broadcasts fit the 32 registers.
constexpr int kGemmMr = 14, kGemmNv = 2;
constexpr int kGemmWideMr = 6, kGemmWideNv = 4;
constexpr float kFmaPerNs = 56;

// 28 accumulators and 4 weight vectors fill the 32 registers; the pixels are embedded broadcasts.
constexpr int kDirectNv = 4, kDirectAccumulators = 28, kDirectPixels = 14;

// 14 accumulators and 9 weights fit the 32 registers. Maps of 7, 14, 28 ... rows are whole tiles.
constexpr int kDepthwiseRows = 7, kDepthwiseNv = 2;
#define CONVMAT_UNROLL_TAPS CONVMAT_UNROLL

// 28 accumulators, 2 weight vectors and a pixel fit the 32 registers.
constexpr int kIntegerNv = 2, kIntegerAccumulators = 28, kIntegerPixels = 14;

}  // namespace
}  // namespace convmat::avx512

#include "isa/body.inc"
