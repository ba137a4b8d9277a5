// What whole operations are called with, beside a plan and plain pointers. They run on the calling thread and
// the pool's workers; all are re-entrant, and nothing keeps a pointer after it returns, but what was packed
// of operands that are borrowed.
#pragma once

#include <atomic>
#include <cstdint>

namespace convmat {

struct KernelTable;
class Epilogue;

// Whether a flag, when there is one, has been set by another thread. Nothing else is read in step with it.
inline bool is_cancelled(const std::atomic<bool>* flag) {
  return flag != nullptr && flag->load(std::memory_order_relaxed);
}

// Whose the operands are that something is packed of.
enum class Ownership : uint8_t {
  owned,     // it keeps copies of what it goes on reading
  borrowed,  // it is for one run with its very plan, which they outlive: it may refer to them
};

// What a call runs with. `cancelled`, when given, is polled between tiles; a cancelled operation returns
// early and leaves its output unspecified.
struct Context {
  const KernelTable* kernels;
  const std::atomic<bool>* cancelled = nullptr;
  // Of the operands of pack_conv, by what it makes.
  Ownership ownership = Ownership::owned;
  // What finishes the outputs of a convolution, by algorithms that apply it: applies_epilogue.
  const Epilogue* epilogue = nullptr;
  // What is added to the outputs of a convolution before they are clamped, element by element, by algorithms
  // that add it: applies_addend. It may be the output itself.
  const void* addend = nullptr;

  bool is_cancelled() const { return convmat::is_cancelled(cancelled); }
};

}  // namespace convmat
