// Combinations and products of long vectors, against sums of whole numbers, which are exact in any order.
#include "ops/vectors.h"

#include <limits>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

// Around vectors, and beyond what one thread sums at a time.
constexpr int64_t kLengths[] = {0, 1, 2, 7, 15, 16, 17, 33, 1023, 4097, 65537, 300001};

template <typename T>
void check(DType dtype) {
  for (const int64_t n : kLengths) {
    SCOPED_TRACE(n);
    const std::vector<T> x = whole_numbers<T>(n, 1), y = whole_numbers<T>(n, 2);
    double product = 0;
    for (size_t i = 0; i < x.size(); ++i) product += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    EXPECT_EQ(vector_dot(dtype, n, x.data(), y.data()), product);

    for (const double b : {-3.0, 0.0, 1.0}) {
      // What is not wanted of the old y does not show.
      std::vector<T> combined = b == 0 ? std::vector<T>(y.size(), std::numeric_limits<T>::quiet_NaN()) : y;
      double squares = 0;
      const double got = vector_combine(dtype, n, 2, x.data(), b, combined.data());
      for (size_t i = 0; i < x.size(); ++i) {
        const T expected = 2 * x[i] + (b == 0 ? T{0} : static_cast<T>(b) * y[i]);
        ASSERT_EQ(combined[i], expected) << i;
        squares += static_cast<double>(expected) * static_cast<double>(expected);
      }
      EXPECT_EQ(got, squares) << b;
    }
  }
}

TEST(Vectors, Float32) { check<float>(DType::f32); }
TEST(Vectors, Float64) { check<double>(DType::f64); }

TEST(Vectors, NanReachesTheSum) {
  std::vector<float> x(1000, 1);
  x[517] = std::numeric_limits<float>::quiet_NaN();
  const double sum = vector_dot(DType::f32, 1000, x.data(), x.data());
  EXPECT_NE(sum, sum);
}

}  // namespace
}  // namespace convmat::test
