// Kernels over arrays of one length, an element at a time.
#pragma once

#include "table/elements.h"

namespace convmat::CONVMAT_ISA {
namespace {

// to[i] <-- of(i), of whole vectors, and of what is left of them one by one.
template <typename T, typename Of, typename OfOne>
CONVMAT_INLINE void each_element(int64_t n, T* to, const Of& of, const OfOne& of_one) {
  constexpr int lanes = Vec<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(to + i, of(i));
  for (; i < n; ++i) to[i] = of_one(i);
}

template <typename T>
CONVMAT_INLINE Vec<T> rectified_elements(Vec<T> a) {
  return add(max(zero<T>(), a), zero<T>());
}
template <typename T>
CONVMAT_INLINE T rectified_element(T a) {
  return (T{0} > a ? T{0} : a) + T{0};
}

template <typename T>
void rectify(int64_t n, const T* x, T* y) {
  each_element(
      n, y, [=](int64_t i) { return rectified_elements(load(x + i)); },
      [=](int64_t i) { return rectified_element(x[i]); });
}

// A rectified element is 0 or less than the least above it: NaN is neither.
template <typename T>
void rectify_grad(int64_t n, const T* g, const T* y, T* dx) {
  constexpr T least = sizeof(T) == sizeof(float) ? static_cast<T>(0x1p-149) : static_cast<T>(0x1p-1074);
  each_element(
      n, dx, [=](int64_t i) { return if_less(load(y + i), broadcast(least), zero<T>(), load(g + i)); },
      [=](int64_t i) { return y[i] < least ? T{0} : g[i]; });
}

template <typename T>
void sum_elements(int64_t n, const T* a, const T* b, bool is_rectified, T* y) {
  if (is_rectified) {
    each_element(
        n, y, [=](int64_t i) { return rectified_elements(add(load(a + i), load(b + i))); },
        [=](int64_t i) { return rectified_element(a[i] + b[i]); });
  } else {
    each_element(
        n, y, [=](int64_t i) { return add(load(a + i), load(b + i)); },
        [=](int64_t i) { return a[i] + b[i]; });
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
