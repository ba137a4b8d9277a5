// An allocator that has its limits: AddressSanitizer's own ends the process where a std::bad_alloc is due.
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

constexpr size_t kMostBytes = size_t{1} << 28;

void* allocate(size_t bytes, size_t alignment) {
  void* memory = nullptr;
  if (bytes > kMostBytes || posix_memalign(&memory, alignment, bytes) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
