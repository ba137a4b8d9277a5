// The seam between algorithms and instruction sets: the table that each isa/*.cc fills. What its kernels take
// stands in the header of each family.
#pragma once

#include "table/blocked.h"
#include "table/channels.h"
#include "table/csr.h"
#include "table/depthwise.h"
#include "table/direct.h"
#include "table/elements.h"
#include "table/fft.h"
#include "table/fixed.h"
#include "table/frame.h"
#include "table/gemm.h"
#include "table/im2col.h"
#include "table/integer.h"
#include "table/pair_gemm.h"
#include "table/pixels.h"
#include "table/program.h"
#include "table/quantized.h"
#include "table/rows.h"
#include "table/tiles.h"
#include "table/toeplitz.h"
#include "table/transpose.h"
#include "table/weight_grad.h"
#include "table/winograd.h"

namespace convmat {

// The kernels of one floating-point type, and the sizes of their tiles. The fields after the blockings are
// lines of kernels.inc.
template <typename T>
struct Kernels {
  GemmBlocking gemm_blocking;
  DirectBlocking direct_blocking;
  ToeplitzBlocking toeplitz_blocking;
  DepthwiseBlocking depthwise_blocking;
#define CONVMAT_FLOAT_KERNEL(field, function, type) type<T>* field;
#include "table/kernels.inc"
};

// Those of integers, likewise.
struct IntegerKernels {
  DirectBlocking blocking;
  bool signed_quads;         // quads of the input are int8, not uint8
  const TileKernels* tiles;  // null where there is no unit of tiles
#define CONVMAT_INTEGER_KERNEL(field, function, type) type* field;
#include "table/kernels.inc"
};

// Those of the steps of networks, of float alone, likewise.
struct StepKernels {
#define CONVMAT_STEP_KERNEL(field, function, type) type* field;
#include "table/kernels.inc"
};

// All kernels of one instruction set.
struct KernelTable {
  const char* name;
  Kernels<float> f32;
  Kernels<double> f64;
  IntegerKernels integer;
  StepKernels steps;

  // Those of T.
  template <typename T>
  const Kernels<T>& of() const;
};

template <>
inline const Kernels<float>& KernelTable::of<float>() const {
  return f32;
}
template <>
inline const Kernels<double>& KernelTable::of<double>() const {
  return f64;
}

}  // namespace convmat
