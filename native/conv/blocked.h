// Convolutions whose input and output both have their channels in blocks: ConvPlan::input_block.
#pragma once

#include "conv/algorithm.h"

namespace convmat {

bool serves_blocked(const ConvPlan& plan);
PackConvFn pack_blocked;  // blocked.cc

bool serves_blocked_depthwise(const ConvPlan& plan);
PackConvFn pack_blocked_depthwise;  // blocked_depthwise.cc

}  // namespace convmat
