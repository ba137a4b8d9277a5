// The 128 bits that every WebAssembly with vectors has: the same results everywhere, bit for bit, unless its
// relaxed instructions are taken.
#define CONVMAT_ISA wasm

#include "simd/vec_wasm.h"

namespace convmat::CONVMAT_ISA {
namespace {

// 12 accumulators, a row of B and a broadcast fit the 16 registers, of which V8 keeps one, that x64 has.
constexpr int kGemmMr = 6, kGemmNv = 2;
constexpr int kGemmWideMr = 3, kGemmWideNv = 4;
constexpr float kFmaPerNs = 16;

// 12 accumulators, 2 weight vectors and a pixel fit the 16 registers.
constexpr int kDirectNv = 2, kDirectAccumulators = 12, kDirectPixels = 12;

// 7 accumulators, some of the weights and a vector of pixels fit the 16 registers. Maps of 7, 14, 28 ... rows
// are whole tiles.
constexpr int kDepthwiseRows = 7, kDepthwiseNv = 1;
#define CONVMAT_UNROLL_TAPS CONVMAT_UNROLL

// 12 accumulators, 2 weight vectors, a pixel and a product fit the 16 registers.
constexpr int kIntegerNv = 2, kIntegerAccumulators = 12, kIntegerPixels = 6;

}  // namespace
}  // namespace convmat::CONVMAT_ISA

#include "isa/body.inc"
