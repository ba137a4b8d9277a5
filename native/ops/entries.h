// The matrix of a convolution in compressed sparse rows.
#pragma once

#include "ops/csr.h"
#include "plan/plan.h"

namespace convmat {

// The forward convolution's matrix for one image: an entry per output and nonzero tap inside the image; taps
// that coincide in the padding make one. False when it has not exactly nnz entries; no more are written.
bool conv_entries(const ConvPlan&, const void* weight, const CsrParts& parts);

}  // namespace convmat
