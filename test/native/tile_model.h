// A unit of tiles in plain C++, over the same kernels as the real one: what they read and write shows to
// sanitizers and valgrind, which do not know the instructions, and CPUs without them run it.
#pragma once

#include <string>

#include "runtime/tile_unit.h"
#include "table/table.h"

// One object per instruction set, whose vectors surround the products.
#define CONVMAT_PROBED_ISA(isa)        \
  namespace convmat::isa {             \
  extern const TileKernels tile_model; \
  }
CONVMAT_PROBED_ISAS
#undef CONVMAT_PROBED_ISA

namespace convmat::test {

// The unit that a table has or, where it has none, the model; false where the system refuses its own.
inline bool give_tiles(KernelTable& table) {
  if (table.integer.tiles != nullptr) return tiles_permitted();
#define CONVMAT_PROBED_ISA(isa) \
  if (std::string(#isa) == table.name) table.integer.tiles = &convmat::isa::tile_model;
  CONVMAT_PROBED_ISAS
#undef CONVMAT_PROBED_ISA
  return true;
}

}  // namespace convmat::test
