// The use of a tile unit: the system's permission for the process, and one thread's tiles.
#pragma once

#include "table/tiles.h"

namespace convmat {

// Whether this process may use the tiles of the kernels that runtime/cpu.h offers. The system is asked at the
// first call, and not again: it makes the signal frames of threads that use tiles 8 KB larger, and refuses
// where a thread has set aside a stack for signals that is too small for that.
bool tiles_permitted();

// While one of these exists, its thread's tiles are configured.
class TileScope {
 public:
  explicit TileScope(const TileKernels& kernels) : kernels_(kernels) { kernels_.configure(); }
  ~TileScope() { kernels_.release(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;

 private:
  const TileKernels& kernels_;
};

}  // namespace convmat
