#include "ops/vectors.h"

#include <algorithm>
#include <vector>

#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// Elements of a chunk, whose sum is one term of the whole's: results do not depend on threads.
constexpr int64_t kChunk = 1 << 15;
// Independent sums, so that no addition waits for the one before it and compilers find vectors.
constexpr int kLanes = 8;
// Of a core that reads from memory.
constexpr double kNsPerElement = 0.5;

// sum(first, end) over chunks of n elements, added in order.
template <class Sum>
double sum_of_chunks(int64_t n, const Sum& sum) {
  const int64_t chunks = ceil_div(n, kChunk);
  std::vector<double> sums(static_cast<size_t>(chunks));
  parallel_for(chunks, kNsPerElement * static_cast<double>(n), [&](int64_t chunk) {
    sums[static_cast<size_t>(chunk)] = sum(chunk * kChunk, std::min(n, (chunk + 1) * kChunk));
  });
  double total = 0;
  for (const double part : sums) total += part;
  return total;
}

// The sum of product(i) for first <= i < end, in lanes.
template <class Product>
double sum_in_lanes(int64_t first, int64_t end, const Product& product) {
  double lanes[kLanes] = {};
  int64_t i = first;
  for (; i + kLanes <= end; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += product(i + lane);
  double rest = 0;
  for (; i < end; ++i) rest += product(i);
  for (const double lane : lanes) rest += lane;
  return rest;
}

template <typename T>
double combine(int64_t n, double a, const T* x, double b, T* y) {
  const T alpha = static_cast<T>(a), beta = static_cast<T>(b);
  return sum_of_chunks(n, [=](int64_t first, int64_t end) {
    if (b == 0) {
      return sum_in_lanes(first, end, [=](int64_t i) {
        y[i] = alpha * x[i];
        return static_cast<double>(y[i]) * static_cast<double>(y[i]);
      });
    }
    return sum_in_lanes(first, end, [=](int64_t i) {
      y[i] = alpha * x[i] + beta * y[i];
      return static_cast<double>(y[i]) * static_cast<double>(y[i]);
    });
  });
}

template <typename T>
double dot(int64_t n, const T* x, const T* y) {
  return sum_of_chunks(n, [=](int64_t first, int64_t end) {
    return sum_in_lanes(first, end,
                        [=](int64_t i) { return static_cast<double>(x[i]) * static_cast<double>(y[i]); });
  });
}

}  // namespace

double vector_combine(DType dtype, int64_t n, double a, const void* x, double b, void* y) {
  return dispatch_float(dtype, [&](auto zero) {
    using T = decltype(zero);
    return combine(n, a, static_cast<const T*>(x), b, static_cast<T*>(y));
  });
}

double vector_dot(DType dtype, int64_t n, const void* x, const void* y) {
  return dispatch_float(dtype, [&](auto zero) {
    using T = decltype(zero);
    return dot(n, static_cast<const T*>(x), static_cast<const T*>(y));
  });
}

}  // namespace convmat
