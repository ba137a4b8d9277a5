// The tile unit beside AVX-512. What else this instruction set runs are avx512's kernels: see runtime/cpu.cc.
#define CONVMAT_ISA avx512

// clang-format off
#include "simd/vec_avx512.h"
#include "simd/tiles_amx.h"
#include "kernels/tiles-inl.h"
// clang-format on

namespace convmat::amx {

extern const TileKernels kernels;
const TileKernels kernels = avx512::tile_kernels<Tiles>();

}  // namespace convmat::amx
