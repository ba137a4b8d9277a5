// Memory that outlives a call, aligned for vectors and cache lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

#include "runtime/pages.h"

namespace convmat {

constexpr size_t kLineBytes = 64;
// What a kernel may read or write beyond the end of a packed operand: the widest vector.
constexpr size_t kSlackBytes = 64;

// Uninitialised elements with slack behind them, in huge pages where they fill some. Throws std::bad_alloc.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;  // data() is null
  explicit AlignedArray(int64_t size) : block_(bytes_of(size)), size_(size) {}

  T* data() { return reinterpret_cast<T*>(block_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(block_.data()); }
  int64_t size() const { return size_; }
  size_t bytes() const { return block_.bytes(); }

 private:
  static size_t bytes_of(int64_t size) {
    if (size < 0 || static_cast<uint64_t>(size) > std::numeric_limits<size_t>::max() / 2 / sizeof(T)) {
      throw std::bad_alloc();
    }
    return static_cast<size_t>(size) * sizeof(T) + kSlackBytes;
  }

  Block block_;
  int64_t size_ = 0;
};

}  // namespace convmat
