// Forward convolution of operands rounded to bfloat16 on a tile unit, in place of im2col's vectors.
#pragma once

#include "conv/algorithm.h"

namespace convmat {

// Whether tiles take less time than vectors, and the system grants them.
bool worth_bf16_tiles(const Context& context, const ConvPlan& plan);

// Tiles, whose unit the kernels must have and the process may use: any forward geometry, plane by plane.
PackConvFn pack_bf16_tiles;

}  // namespace convmat
