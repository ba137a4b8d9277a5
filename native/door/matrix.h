// Matrices in compressed sparse rows: that of a convolution, and products.
#pragma once

#include "door/call.h"

namespace convmat::door {

void conv_entries(const Call& call);
void csr_matvec(const Call& call);
void csr_rmatvec(const Call& call);
void csr_matmat(const Call& call);
double csr_combined_sizes(const Call& call);
void csr_combine(const Call& call);

}  // namespace convmat::door
