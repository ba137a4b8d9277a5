// Patches as columns, and back.
#pragma once

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// columns[n][c * taps][outputs] <-- input[n][c][in], every dtype; `fold` is its adjoint (zeros padding only)
// and overwrites `output`.
void unfold(const Context&, const ConvPlan&, const void* input, void* columns);
void fold(const Context&, const ConvPlan&, const void* columns, void* output);

}  // namespace convmat
