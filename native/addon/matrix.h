// Products with matrices in compressed sparse rows.
#pragma once

#include "addon/door.h"

namespace convmat::addon {

napi_value csr_matvec(const Call& call);
napi_value csr_rmatvec(const Call& call);
napi_value csr_matmat(const Call& call);

}  // namespace convmat::addon
