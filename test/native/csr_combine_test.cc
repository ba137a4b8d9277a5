// Products and sums of sparse matrices, against dense ones.
#include "ops/csr_combine.h"

#include <vector>

#include "sparse.h"
#include "support.h"

namespace convmat::test {
namespace {

template <typename T>
std::vector<T> dense_of(const Matrix<T>& a) {
  std::vector<T> dense(static_cast<size_t>(a.rows * a.cols));
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int32_t p = a.indptr[i]; p < a.indptr[i + 1]; ++p) dense[i * a.cols + a.indices[p]] += a.data[p];
  }
  return dense;
}

template <typename T>
std::vector<T> dense_combination(CsrCombination combination, const Matrix<T>& a, const Matrix<T>& b) {
  const std::vector<T> x = dense_of(a), y = dense_of(b);
  std::vector<T> result(static_cast<size_t>(a.rows * b.cols));
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < b.cols; ++j) {
      T& to = result[i * b.cols + j];
      if (combination == CsrCombination::sum) {
        to = x[i * a.cols + j] + y[i * b.cols + j];
      } else {
        for (int64_t k = 0; k < a.cols; ++k) to += x[i * a.cols + k] * y[k * b.cols + j];
      }
    }
  }
  return result;
}

// A row that has nothing, rows with repeated columns, and one that has nearly all.
std::vector<int> lengths_of(int64_t rows, int64_t most, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int> lengths;
  for (int64_t i = 0; i < rows; ++i)
    lengths.push_back(static_cast<int>(i % 5 == 3 ? 0 : random() % (most + 1)));
  return lengths;
}

template <typename T>
void check(CsrCombination combination, int64_t rows, int64_t inner, int64_t cols, uint32_t seed) {
  const bool is_sum = combination == CsrCombination::sum;
  const Matrix<T> a = random_matrix<T>(lengths_of(rows, 9, seed), is_sum ? cols : inner, seed);
  const Matrix<T> b =
      random_matrix<T>(lengths_of(is_sum ? rows : inner, is_sum ? 40 : 7, seed + 1), cols, seed + 1);
  std::vector<int32_t> indptr(static_cast<size_t>(rows + 1), -1);
  int64_t entries = -1;
  ASSERT_TRUE(csr_combined_sizes(combination, a.parts(), b.parts(), indptr.data(), &entries));
  ASSERT_EQ(indptr.front(), 0);
  ASSERT_EQ(indptr.back(), entries);
  Matrix<T> c{rows, cols, indptr, std::vector<int32_t>(entries), std::vector<T>(entries, T{77})};
  ASSERT_TRUE(csr_combine(combination, a.parts(), b.parts(),
                          {entries, c.indptr.data(), c.indices.data(), c.data.data()}));
  for (int64_t i = 0; i < rows; ++i) {
    for (int32_t p = c.indptr[i] + 1; p < c.indptr[i + 1]; ++p)
      ASSERT_LT(c.indices[p - 1], c.indices[p]) << i;
  }
  EXPECT_EQ(dense_of(c), dense_combination(combination, a, b));

  // Nothing is written beyond arrays that are too small.
  if (entries > 0) {
    EXPECT_FALSE(csr_combine(combination, a.parts(), b.parts(),
                             {entries - 1, c.indptr.data(), c.indices.data(), c.data.data()}));
  }
}

TEST(CsrCombine, SumsAreThoseOfDenseMatrices) {
  for (uint32_t seed = 0; seed < 6; ++seed) {
    check<float>(CsrCombination::sum, 23, 0, 31, seed);
    check<double>(CsrCombination::sum, 301, 0, 5, seed);
  }
}
TEST(CsrCombine, ProductsAreThoseOfDenseMatrices) {
  for (uint32_t seed = 0; seed < 6; ++seed) {
    check<float>(CsrCombination::product, 23, 17, 31, seed);
    check<double>(CsrCombination::product, 301, 3, 5, seed);
    check<double>(CsrCombination::product, 7, 201, 120, seed);
  }
}
TEST(CsrCombine, EmptyMatrices) {
  check<float>(CsrCombination::sum, 0, 0, 4, 1);
  check<float>(CsrCombination::product, 0, 3, 4, 1);
}

TEST(CsrCombine, ColumnsAndOffsetsOutsideAreFound) {
  const Matrix<float> good = random_matrix<float>({2, 0, 3}, 3, 1);
  std::vector<int32_t> indptr(4);
  int64_t entries = 0;
  const auto is_refused = [&](const Matrix<float>& a, const Matrix<float>& b, CsrCombination combination) {
    return !csr_combined_sizes(combination, a.parts(), b.parts(), indptr.data(), &entries);
  };
  for (const int32_t column : {-1, 3, std::numeric_limits<int32_t>::max()}) {
    Matrix<float> bad = good;
    bad.indices[2] = column;
    for (const auto combination : {CsrCombination::sum, CsrCombination::product}) {
      EXPECT_TRUE(is_refused(bad, good, combination)) << column;
    }
    EXPECT_TRUE(is_refused(good, bad, CsrCombination::sum)) << column;
  }
  for (const int32_t offset : {-1, 6, std::numeric_limits<int32_t>::max()}) {
    Matrix<float> bad = good;
    bad.indptr[1] = offset;
    for (const auto combination : {CsrCombination::sum, CsrCombination::product}) {
      EXPECT_TRUE(is_refused(bad, good, combination)) << offset;
    }
  }
}

}  // namespace
}  // namespace convmat::test
