// Matrices in compressed sparse rows: that of a convolution, and products.
#pragma once

#include "addon/door.h"

namespace convmat::addon {

napi_value conv_entries(const Call& call);
napi_value csr_matvec(const Call& call);
napi_value csr_rmatvec(const Call& call);
napi_value csr_matmat(const Call& call);

}  // namespace convmat::addon
