#include "runtime/spare_block.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/threads.h"

namespace convmat {
namespace {

struct Spares {
  Mutex mutex;
  std::vector<Block> blocks;
  size_t bytes = 0;

  // The smallest that is large enough and not twice as large as needed; else nothing.
  Block take(size_t wanted) {
    const Lock lock(mutex);
    auto best = blocks.end();
    for (auto block = blocks.begin(); block != blocks.end(); ++block) {
      if (block->bytes() < wanted || block->bytes() / 2 > wanted) continue;
      if (best == blocks.end() || block->bytes() < best->bytes()) best = block;
    }
    if (best == blocks.end()) return {};
    bytes -= best->bytes();
    std::swap(*best, blocks.back());
    Block taken = std::move(blocks.back());
    blocks.pop_back();
    return taken;
  }

  // The oldest make room. What does not fit is freed.
  void keep(Block block) {
    if (block.bytes() > kSpareBytes) return;
    std::vector<Block> freed;  // after the lock is gone
    const Lock lock(mutex);
    size_t gone = 0, left = bytes;
    for (; left + block.bytes() > kSpareBytes; ++gone) left -= blocks[gone].bytes();
    // What may throw comes before anything changes.
    freed.reserve(gone);
    blocks.reserve(blocks.size() - gone + 1);
    const auto end = blocks.begin() + static_cast<std::ptrdiff_t>(gone);
    freed.assign(std::make_move_iterator(blocks.begin()), std::make_move_iterator(end));
    blocks.erase(blocks.begin(), end);
    bytes = left + block.bytes();
    blocks.push_back(std::move(block));
  }
};

// Never destroyed: threads may end after the process has begun to.
Spares& spares() {
  static Spares& all = *new Spares;
  return all;
}

}  // namespace

SpareBlock::SpareBlock(size_t bytes) : block_(spares().take(bytes)) {
  if (block_.data() == nullptr) block_ = Block(bytes);
}

SpareBlock::~SpareBlock() {
  try {
    spares().keep(std::move(block_));
  } catch (...) {
    // There is no memory to note it in: it is freed.
  }
}

}  // namespace convmat
