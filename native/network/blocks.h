// Values whose channels lie in blocks of a vector's lanes: [image][block][row][column][lane].
#pragma once

#include <cstdint>

#include "plan/arith.h"
#include "plan/wire.h"
#include "table/table.h"

namespace convmat {

inline int64_t lanes_of(const KernelTable& kernels) { return kernels.f32.direct_blocking.lanes; }

// Elements of a value of so many images, channels and pixels of each; the last block is filled up.
inline int64_t blocked_length(int64_t images, int64_t channels, int64_t pixels, int64_t block) {
  return checked_product({images, ceil_div(channels, block), block, pixels});
}

}  // namespace convmat
