// Memory that outlives a call, aligned for vectors and cache lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

namespace convmat {

constexpr size_t kLineBytes = 64;
// What a kernel may read or write beyond the end of a packed operand: the widest vector.
constexpr size_t kSlackBytes = 64;

// Uninitialised elements with slack behind them. Throws std::bad_alloc.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(int64_t size) : size_(size) {
    if (size < 0 || static_cast<uint64_t>(size) > std::numeric_limits<size_t>::max() / 2 / sizeof(T)) {
      throw std::bad_alloc();
    }
    data_ = static_cast<T*>(::operator new (bytes(), std::align_val_t{kLineBytes}));
  }
  AlignedArray(AlignedArray&& other) noexcept : data_(other.data_), size_(other.size_) {
    other.data_ = nullptr;
  }
  AlignedArray& operator=(AlignedArray&& other) noexcept {
    T* const data = other.data_;
    other.data_ = data_;
    data_ = data;
    size_ = other.size_;
    return *this;
  }
  ~AlignedArray() {
    if (data_ != nullptr) ::operator delete (data_, std::align_val_t{kLineBytes});
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }
  size_t bytes() const { return static_cast<size_t>(size_) * sizeof(T) + kSlackBytes; }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace convmat
