// What all aligned memory of WebAssembly, which kernels read, has behind it.
#pragma once

#include <cstddef>

namespace convmat::wasm_host {

// Masked loads are of whole vectors, and panels begin up to 16 columns of stride 2 behind an image's last
// element that counts.
constexpr size_t kReachBytes = 256;

}  // namespace convmat::wasm_host
