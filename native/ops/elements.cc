#include "ops/elements.h"

#include <algorithm>

#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

constexpr int64_t kChunk = 1 << 14;
// Of operands that another layer's work has driven out of the second-level cache.
constexpr double kNsPerElement = 0.5;

// body(begin, count) for each chunk of n elements.
template <class Body>
void by_chunks(int64_t n, const Body& body) {
  parallel_for(ceil_div(n, kChunk), kNsPerElement * static_cast<double>(n),
               [&](int64_t chunk) { body(chunk * kChunk, std::min(n - chunk * kChunk, kChunk)); });
}

}  // namespace

void rectify(const Context& context, DType dtype, int64_t n, const void* x, void* y) {
  dispatch_float(dtype, [&](auto zero) {
    using T = decltype(zero);
    by_chunks(n, [&](int64_t begin, int64_t count) {
      context.kernels->of<T>().rectify(count, static_cast<const T*>(x) + begin, static_cast<T*>(y) + begin);
    });
  });
}

void rectify_grad(const Context& context, DType dtype, int64_t n, const void* g, const void* y, void* dx) {
  dispatch_float(dtype, [&](auto zero) {
    using T = decltype(zero);
    by_chunks(n, [&](int64_t begin, int64_t count) {
      context.kernels->of<T>().rectify_grad(count, static_cast<const T*>(g) + begin,
                                            static_cast<const T*>(y) + begin, static_cast<T*>(dx) + begin);
    });
  });
}

void sum_elements(const Context& context, DType dtype, int64_t n, const void* a, const void* b,
                  bool is_rectified, void* y) {
  dispatch_float(dtype, [&](auto zero) {
    using T = decltype(zero);
    by_chunks(n, [&](int64_t begin, int64_t count) {
      context.kernels->of<T>().sum_elements(count, static_cast<const T*>(a) + begin,
                                            static_cast<const T*>(b) + begin, is_rectified,
                                            static_cast<T*>(y) + begin);
    });
  });
}

}  // namespace convmat
