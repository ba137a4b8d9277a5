// Scratch memory of a few megabytes and more, for jobs that come again and again.
#pragma once

#include <cstddef>

#include "runtime/pages.h"

namespace convmat {

// A block that somebody else may have used before, and that is kept for the next when this one goes: the
// pages of a new one cost as much as what is computed in them. A process keeps at most kSpareBytes of them.
constexpr size_t kSpareBytes = size_t{32} << 20;

class SpareBlock {
 public:
  // At least so many bytes, not initialised. Throws bad_alloc.
  explicit SpareBlock(size_t bytes);
  ~SpareBlock();
  SpareBlock(const SpareBlock&) = delete;
  SpareBlock& operator=(const SpareBlock&) = delete;

  char* data() const { return block_.data(); }

 private:
  Block block_;
};

}  // namespace convmat
