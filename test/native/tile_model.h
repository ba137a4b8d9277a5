// A unit of tiles in plain C++, over the same kernels as the real one: what they read and write shows to
// sanitizers and valgrind, which do not know the instructions, and CPUs without them run it.
#pragma once

#include "table/tiles.h"

// One object per instruction set, whose vectors surround the products.
#define CONVMAT_PROBED_ISA(isa)        \
  namespace convmat::isa {             \
  extern const TileKernels tile_model; \
  }
CONVMAT_PROBED_ISAS
#undef CONVMAT_PROBED_ISA
