// An operand that something packed goes on reading: a copy of its own, or memory that was lent to it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/aligned.h"
#include "runtime/context.h"

namespace convmat {

template <typename T>
class Held {
 public:
  // `from` may be null, and is then of no elements.
  Held(Ownership ownership, const T* from, int64_t size) : data_(from) {
    if (ownership == Ownership::borrowed || from == nullptr) return;
    own_ = AlignedArray<T>(size);
    std::copy_n(from, size, own_.data());
    data_ = own_.data();
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  const T* data() const { return data_; }
  // Of the copy.
  size_t bytes() const { return own_.bytes(); }

 private:
  AlignedArray<T> own_;
  const T* data_;
};

}  // namespace convmat
