#include "runtime/pages.h"

#include <cstdint>
#include <new>
#include <utility>

#include "plan/arith.h"

#if defined(__linux__)
  #include <sys/mman.h>
  #include <unistd.h>
#endif

namespace convmat {
namespace {

constexpr size_t kLine = 64;
#if defined(__wasm__)
constexpr size_t kHugePage = kLine;  // memory is one array, whose pages are the host's
#else
constexpr size_t kHugePage = size_t{2} << 20;
#endif

std::align_val_t alignment(size_t bytes) { return std::align_val_t{bytes >= kHugePage ? kHugePage : kLine}; }

}  // namespace

Block::Block(size_t bytes)
    : data_(static_cast<char*>(::operator new(bytes, alignment(bytes)))), bytes_(bytes) {
  advise_huge_pages(data_, bytes);
}

void advise_huge_pages(void* data, size_t bytes) {
#if defined(__linux__)
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = round_up(begin, kHugePage), end = (begin + bytes) / kHugePage * kHugePage;
  // Advice: a kernel without huge pages may refuse it.
  if (end > first) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#else
  static_cast<void>(data);
  static_cast<void>(bytes);
#endif
}

Block::Block(Block&& from) noexcept : data_(std::exchange(from.data_, nullptr)), bytes_(from.bytes_) {}

Block& Block::operator=(Block&& from) noexcept {
  std::swap(data_, from.data_);
  std::swap(bytes_, from.bytes_);
  return *this;
}

Block::~Block() {
  if (data_ != nullptr) ::operator delete(data_, alignment(bytes_));
}

void discard(void* data, size_t bytes) {
#if defined(__linux__)
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = round_up(begin, page);
  const uintptr_t end = (begin + bytes) / page * page;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
#else
  (void)data, (void)bytes;
#endif
}

}  // namespace convmat
