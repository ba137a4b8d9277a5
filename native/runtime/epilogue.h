// What is left to do with the outputs of a convolution while they are in cache.
#pragma once

#include <cstdint>

namespace convmat {

class Epilogue {
 public:
  virtual ~Epilogue() = default;
  // For rows of n elements, `stride` apart, that have been written for the last time. Concurrently for
  // others; every element of the result once.
  virtual void run(void* first, int64_t rows, int64_t stride, int64_t n) const = 0;
};

}  // namespace convmat
