// Matrix products against triple loops.
#include "ops/matmul.h"

#include <limits>
#include <type_traits>
#include <vector>

#include "integer/matmul.h"
#include "support.h"

namespace convmat::test {
namespace {

struct Shape {
  int64_t m, n, k;
};
const Shape kShapes[] = {{1, 1, 1},     {1, 70, 5},    {6, 64, 9},     {7, 65, 9},
                         {14, 32, 3},   {15, 33, 400}, {29, 31, 2},    {100, 1, 3},
                         {64, 129, 77}, {3, 5, 0},     {200, 40, 900}, {0, 3, 4},
                         {3, 0, 4},     {5, 64, 1025}, {1, 1, 2000},   {13, 1024, 33}};

template <typename A, typename B, typename C>
void check(const KernelTable& kernels, DType a_dtype, DType b_dtype, const std::vector<A>& a_all,
           const std::vector<B>& b_all) {
  const Context context{&kernels};
  for (const Shape& s : kShapes) {
    const std::vector<A> a(a_all.begin(), a_all.begin() + s.m * s.k);
    const std::vector<B> b(b_all.begin(), b_all.begin() + s.k * s.n);
    std::vector<C> c(s.m * s.n, C{77});
    matmul(context, a_dtype, b_dtype, s.m, s.n, s.k, a.data(), b.data(), c.data());
    if constexpr (std::is_same_v<C, int32_t>) {
      std::vector<C> by_tiles(s.m * s.n, C{77});
      integer_matmul(context, a_dtype, b_dtype, s.m, s.n, s.k, a.data(), b.data(), by_tiles.data());
      EXPECT_EQ(by_tiles, c);
    }
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = 0; j < s.n; ++j) {
        double expected = 0;
        for (int64_t l = 0; l < s.k; ++l) expected += double(a[i * s.k + l]) * double(b[l * s.n + j]);
        ASSERT_EQ(c[i * s.n + j], expected) << s.m << "x" << s.n << "x" << s.k << " at " << i << ", " << j;
      }
    }
  }
}

constexpr int64_t kMost = 200 * 1100;

// Whole range of the type, extremes often.
template <typename T>
std::vector<T> integers(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<T> values(kMost);
  for (T& value : values) {
    const uint32_t draw = random();
    value = draw % 4 == 0   ? std::numeric_limits<T>::min()
            : draw % 4 == 1 ? std::numeric_limits<T>::max()
                            : static_cast<T>(draw >> 8);
  }
  return values;
}

using MatmulTest = EachIsa;

TEST_P(MatmulTest, Float32) {
  check<float, float, float>(kernels(), DType::f32, DType::f32, whole_numbers<float>(kMost, 1),
                             whole_numbers<float>(kMost, 2));
}
TEST_P(MatmulTest, Float64) {
  check<double, double, double>(kernels(), DType::f64, DType::f64, whole_numbers<double>(kMost, 1),
                                whole_numbers<double>(kMost, 2));
}
TEST_P(MatmulTest, EveryMixOfBytesIsExact) {
  check<int8_t, int8_t, int32_t>(kernels(), DType::i8, DType::i8, integers<int8_t>(1), integers<int8_t>(2));
  check<int8_t, uint8_t, int32_t>(kernels(), DType::i8, DType::u8, integers<int8_t>(1), integers<uint8_t>(2));
  check<uint8_t, int8_t, int32_t>(kernels(), DType::u8, DType::i8, integers<uint8_t>(1), integers<int8_t>(2));
  check<uint8_t, uint8_t, int32_t>(kernels(), DType::u8, DType::u8, integers<uint8_t>(1),
                                   integers<uint8_t>(2));
}
TEST_P(MatmulTest, IntegersWrapModulo2To32) {
  const int64_t k = 70000;  // 70000 * 255 * 255 > 2^32
  const std::vector<uint8_t> a(k, 255), b(k, 255);
  int32_t c = 0;
  matmul({&kernels()}, DType::u8, DType::u8, 1, 1, k, a.data(), b.data(), &c);
  EXPECT_EQ(static_cast<uint32_t>(c), static_cast<uint32_t>(k * 255 * 255));
  // As many rows and columns as tiles are worth.
  const int64_t m = 17, n = 65;
  const std::vector<uint8_t> a_rows(m * k, 255), b_rows(n * k, 255);
  std::vector<int32_t> c_rows(m * n);
  integer_matmul({&kernels()}, DType::u8, DType::u8, m, n, k, a_rows.data(), b_rows.data(), c_rows.data());
  for (const int32_t sum : c_rows) ASSERT_EQ(sum, c);
}
CONVMAT_ON_EACH_ISA(MatmulTest);

}  // namespace
}  // namespace convmat::test
