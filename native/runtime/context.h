// What whole operations are called with, beside a plan and plain pointers. They run on the calling thread and
// the pool's workers; all are re-entrant, and nothing keeps a pointer after it returns, but where
// Context::for_one_run says so.
#pragma once

#include <atomic>

namespace convmat {

struct KernelTable;
class Epilogue;

// What a call runs with. `cancelled`, when given, is polled between tiles; a cancelled operation returns
// early and leaves its output unspecified.
struct Context {
  const KernelTable* kernels;
  const std::atomic<bool>* cancelled = nullptr;
  // Whether what pack_conv makes is for one run with its very plan, and its operands outlive that: it may
  // refer to them rather than keep what it needs of them.
  bool for_one_run = false;
  // What finishes the outputs of a convolution, by algorithms that apply it: applies_epilogue.
  const Epilogue* epilogue = nullptr;
};

}  // namespace convmat
