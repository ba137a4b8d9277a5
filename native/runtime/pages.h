// Large blocks of memory, for what kernels stream through.
#pragma once

#include <cstddef>

namespace convmat {

// At least a cache line's alignment. A block of a huge page (2 MiB) or more is aligned to that and asks for
// huge pages: fewer TLB misses, and two orders of magnitude fewer page faults when it is first written.
// Throws bad_alloc.
class Block {
 public:
  Block() = default;  // holds nothing
  explicit Block(size_t bytes);
  ~Block();
  Block(Block&& from) noexcept;
  Block& operator=(Block&& from) noexcept;

  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

// Gives the pages within this memory back to the system, as far as it can take them: the contents are lost.
// So that whoever frees the memory later, on a thread that should not wait, has little left to do.
void discard(void* data, size_t bytes);

// Asks for huge pages in memory of somebody else's that is about to be written for the first time, where it
// covers some: advice, which may come to nothing.
void advise_huge_pages(void* data, size_t bytes);

}  // namespace convmat
