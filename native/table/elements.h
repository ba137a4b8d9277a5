// What kernels over arrays of one length take, an element at a time. Results may be operands.
#pragma once

#include <cstdint>

namespace convmat {

// y <-- max(x, 0); NaN stays, and of zeros the positive one.
template <typename T>
using RectifyFn = void(int64_t n, const T* x, T* y);

// dx <-- g where the rectified y is not 0, else 0.
template <typename T>
using RectifyGradFn = void(int64_t n, const T* g, const T* y, T* dx);

// y <-- a + b, rectified where that is asked for.
template <typename T>
using SumElementsFn = void(int64_t n, const T* a, const T* b, bool is_rectified, T* y);

}  // namespace convmat
