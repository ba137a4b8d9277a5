// Elementwise operations against their definitions, at lengths of whole vectors and parts of them.
#include "ops/elements.h"

#include <cmath>
#include <limits>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

constexpr int64_t kLengths[] = {0, 1, 3, 15, 16, 17, 63, 40001};

template <typename T>
std::vector<T> values(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  const T special[] = {0,
                       -T{0},
                       1,
                       -1,
                       std::numeric_limits<T>::quiet_NaN(),
                       std::numeric_limits<T>::infinity(),
                       -std::numeric_limits<T>::infinity(),
                       std::numeric_limits<T>::denorm_min()};
  std::vector<T> list(static_cast<size_t>(n));
  for (T& value : list) value = special[random() % 8];
  return list;
}

template <typename T>
bool same(T a, T b) {
  return (a != a && b != b) || (a == b && std::signbit(a) == std::signbit(b));
}

template <typename T>
T rectified(T a) {
  return a <= 0 ? T{0} : a;
}

template <typename T>
void check(const KernelTable& kernels, DType dtype) {
  const Context context{&kernels};
  for (const int64_t n : kLengths) {
    const std::vector<T> a = values<T>(n, 3), b = values<T>(n, 4);
    std::vector<T> y(n), dx(n), sums(n), in_place = a;
    rectify(context, dtype, n, a.data(), y.data());
    rectify_grad(context, dtype, n, b.data(), y.data(), dx.data());
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_TRUE(same(y[i], rectified(a[i]))) << a[i];
      ASSERT_TRUE(same(dx[i], y[i] == 0 ? T{0} : b[i])) << y[i];
    }
    for (const bool is_rectified : {false, true}) {
      sum_elements(context, dtype, n, a.data(), b.data(), is_rectified, sums.data());
      for (int64_t i = 0; i < n; ++i) {
        const T sum = a[i] + b[i];
        ASSERT_TRUE(same(sums[i], is_rectified ? rectified(sum) : sum)) << sum;
      }
    }
    sum_elements(context, dtype, n, in_place.data(), b.data(), true, in_place.data());
    for (int64_t i = 0; i < n; ++i) ASSERT_TRUE(same(in_place[i], sums[i]));
  }
}

using Elements = EachIsa;

TEST_P(Elements, AreTheirDefinitionsInBothPrecisions) {
  check<float>(kernels(), DType::f32);
  check<double>(kernels(), DType::f64);
}

CONVMAT_ON_EACH_ISA(Elements);

}  // namespace
}  // namespace convmat::test
