// The kernels of wasm.cc with the relaxed instructions, which round once where the machine under them does.
#define CONVMAT_ISA wasm_relaxed
#define CONVMAT_ISA_NAME "wasm-relaxed"
#define CONVMAT_WASM_RELAXED 1

#include "isa/wasm.cc"
