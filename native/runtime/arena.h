// Scratch memory of kernels: a stack per thread, so that taking it costs a few instructions and no lock.
//
//   ArenaFrame frame;
//   float* panel = frame.take<float>(kc * nc);   // 64-byte aligned, not initialised; gone with the frame
//
// Frames nest, and a frame belongs to the thread that made it; what it gave out may be read by other threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

namespace convmat {

// What a thread keeps between calls, and the budget of a convolution's workspace. Address space is reserved
// at once and pages are touched as they are needed. A frame that takes more gets the rest from the heap until
// it ends.
constexpr size_t kArenaBytes = size_t{4} << 20;

class ArenaFrame {
 public:
  ArenaFrame();
  ~ArenaFrame();
  ArenaFrame(const ArenaFrame&) = delete;
  ArenaFrame& operator=(const ArenaFrame&) = delete;

  // Throws std::bad_alloc.
  template <class T>
  T* take(int64_t count) {
    const auto n = static_cast<uint64_t>(count);
    if (count < 0 || n > std::numeric_limits<size_t>::max() / 2 / sizeof(T)) throw std::bad_alloc();
    return static_cast<T*>(take_bytes(static_cast<size_t>(n) * sizeof(T)));
  }

 private:
  struct Overflow;

  void* take_bytes(size_t bytes);

  size_t top_before_;
  Overflow* overflow_ = nullptr;
};

// The most scratch that any one thread has held at a time since the process began.
size_t arena_peak_bytes();

}  // namespace convmat
