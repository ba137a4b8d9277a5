#include "runtime/arena.h"

#include <atomic>
#include <optional>
#include <utility>

#include "plan/arith.h"
#include "runtime/pages.h"
#include "runtime/threads.h"

namespace convmat {
namespace {

constexpr size_t kLine = 64;  // cache line, and the widest vector

std::atomic<size_t> g_peak_bytes{0};

struct Arena {
  // The system zeroes a page when it is first touched, so the part that no call needs costs address space
  // only.
  std::optional<Block> block;
  size_t top = 0;             // bytes of the block in use
  size_t overflow_bytes = 0;  // bytes in use beyond it
  size_t peak_bytes = 0;

  void note_peak() {
    const size_t used = top + overflow_bytes;
    if (used <= peak_bytes) return;
    peak_bytes = used;
    size_t seen = g_peak_bytes.load(std::memory_order_relaxed);
    while (seen < used && !g_peak_bytes.compare_exchange_weak(seen, used, std::memory_order_relaxed)) {
    }
  }
};

Arena& arena_of_this_thread() {
  CONVMAT_PER_THREAD Arena arena;
  return arena;
}

}  // namespace

// Heads each block from the heap, which it owns; one line long, so that what follows it is aligned.
struct alignas(kLine) ArenaFrame::Overflow {
  Overflow* next;
  Block memory;
};

ArenaFrame::ArenaFrame() : top_before_(arena_of_this_thread().top) {}

ArenaFrame::~ArenaFrame() {
  Arena& arena = arena_of_this_thread();
  arena.top = top_before_;
  while (overflow_ != nullptr) {
    const Block memory = std::move(overflow_->memory);
    overflow_ = overflow_->next;
    arena.overflow_bytes -= memory.bytes() - sizeof(Overflow);
  }
}

void* ArenaFrame::take_bytes(size_t bytes) {
  Arena& arena = arena_of_this_thread();
  bytes = round_up(bytes, kLine);
  if (bytes <= kArenaBytes - arena.top) {
    if (!arena.block) arena.block.emplace(kArenaBytes);
    void* const taken = arena.block->data() + arena.top;
    arena.top += bytes;
    arena.note_peak();
    return taken;
  }
  // In huge pages where it fills some: what takes this much is strided over.
  Block memory(sizeof(Overflow) + bytes);
  char* const data = memory.data();
  overflow_ = new (data) Overflow{overflow_, std::move(memory)};
  arena.overflow_bytes += bytes;
  arena.note_peak();
  return overflow_ + 1;
}

size_t arena_peak_bytes() { return g_peak_bytes.load(std::memory_order_relaxed); }

}  // namespace convmat
