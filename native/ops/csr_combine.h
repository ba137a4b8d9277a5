// Products and sums of matrices in compressed sparse rows.
#pragma once

#include <cstdint>

#include "ops/csr.h"

namespace convmat {

enum class CsrCombination { product, sum };

// Offsets of the rows of a * b (a.cols = b.rows) or of a + b (of one shape), and how many entries there are:
// one for each place that a term reaches, cancelled or not. Past what int32 counts, the offsets mean nothing.
// False when offsets or columns lead outside a matrix.
bool csr_combined_sizes(CsrCombination, const CsrMatrix& a, const CsrMatrix& b, int32_t* indptr,
                        int64_t* entries);

// The entries, columns ascending, summed in double, into arrays of that size. False, with an unspecified
// result, when offsets or columns lead outside a matrix or the arrays; nothing is read or written there. One
// dtype, f32 or f64.
bool csr_combine(CsrCombination, const CsrMatrix& a, const CsrMatrix& b, const CsrParts& result);

}  // namespace convmat
