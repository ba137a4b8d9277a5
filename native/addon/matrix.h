// Matrices in compressed sparse rows: that of a convolution, and products.
#pragma once

#include "addon/door.h"

namespace convmat::addon {

void conv_entries(const Napi::CallbackInfo& call);
void csr_matvec(const Napi::CallbackInfo& call);
void csr_rmatvec(const Napi::CallbackInfo& call);
void csr_matmat(const Napi::CallbackInfo& call);
Napi::Value csr_combined_sizes(const Napi::CallbackInfo& call);
void csr_combine(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
