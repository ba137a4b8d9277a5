// Products with matrices in compressed sparse rows, against the definition.
#include "ops/csr.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "runtime/thread_pool.h"
#include "sparse.h"
#include "support.h"

namespace convmat::test {
namespace {

// Lengths around the short row's and every vector's, and rows longer than what is checked at a time.
std::vector<int> many_lengths() {
  std::vector<int> lengths;
  for (int length = 0; length <= 67; ++length) lengths.push_back(length);
  for (const int length : {2047, 0, 2048, 2049, 1, 5000}) lengths.push_back(length);
  for (int i = 0; i < 700; ++i) lengths.push_back(i * 7 % 23);
  return lengths;
}

template <typename T>
void check_products(const Context& context, const Matrix<T>& a) {
  for (const int64_t columns : {1, 3, 16, 33, 70}) {
    const std::vector<T> x = whole_numbers<T>(a.cols * columns, 11),
                         y = whole_numbers<T>(a.rows * columns, 12);
    std::vector<T> product(a.rows * columns), transposed(a.cols);
    for (int64_t i = 0; i < a.rows; ++i) {
      for (int32_t p = a.indptr[i]; p < a.indptr[i + 1]; ++p) {
        for (int64_t c = 0; c < columns; ++c) {
          product[i * columns + c] += a.data[p] * x[a.indices[p] * columns + c];
        }
        transposed[a.indices[p]] += a.data[p] * y[i];
      }
    }
    std::vector<T> got(a.rows * columns, T{77});
    ASSERT_TRUE(csr_matmat(context, a.parts(), columns, x.data(), got.data()));
    ASSERT_EQ(got, product) << columns << " columns";
    if (columns > 1) continue;
    std::fill(got.begin(), got.end(), T{77});
    ASSERT_TRUE(csr_matvec(context, a.parts(), x.data(), got.data()));
    ASSERT_EQ(got, product);
    std::vector<T> got_transposed(a.cols, T{77});
    ASSERT_TRUE(csr_rmatvec(context, a.parts(), y.data(), got_transposed.data()));
    ASSERT_EQ(got_transposed, transposed);
  }
}

using CsrTest = EachIsa;

TEST_P(CsrTest, RowsOfEveryLength) {
  check_products<float>({&kernels()}, random_matrix<float>(many_lengths(), 613, 1));
  check_products<double>({&kernels()}, random_matrix<double>(many_lengths(), 613, 2));
}

TEST_P(CsrTest, Empty) {
  check_products<float>({&kernels()}, random_matrix<float>({}, 5, 3));
  check_products<float>({&kernels()}, random_matrix<float>({0, 0, 0}, 5, 3));
  check_products<float>({&kernels()}, random_matrix<float>({0, 0}, 0, 3));
}

TEST_P(CsrTest, RefusesWhatLeadsOutside) {
  // Vectors end where reading must, for a sanitizer to see what goes further.
  const auto good = random_matrix<float>(many_lengths(), 613, 4);
  const auto refused = [&](const Matrix<float>& matrix) {
    const std::vector<float> x(matrix.cols), y(matrix.rows);
    std::vector<float> to_rows(matrix.rows), to_cols(matrix.cols);
    const Context context{&kernels()};
    return !csr_matvec(context, matrix.parts(), x.data(), to_rows.data()) &&
           !csr_rmatvec(context, matrix.parts(), y.data(), to_cols.data()) &&
           !csr_matmat(context, matrix.parts(), 1, x.data(), to_rows.data());
  };
  constexpr int32_t most = std::numeric_limits<int32_t>::max(), least = std::numeric_limits<int32_t>::min();
  for (const int32_t column : {-1, 613, most, least}) {
    for (const size_t at : {size_t{0}, size_t{2300}, good.indices.size() - 1}) {
      Matrix<float> bad = good;
      bad.indices[at] = column;
      EXPECT_TRUE(refused(bad)) << column << " at " << at;
    }
  }
  for (const int32_t offset : {-1, most, least}) {
    for (const size_t at : {size_t{0}, size_t{10}, good.indptr.size() - 1}) {
      Matrix<float> bad = good;
      bad.indptr[at] = offset;
      EXPECT_TRUE(refused(bad)) << offset << " at " << at;
    }
  }
  Matrix<float> narrow = good;
  narrow.cols = 0;
  EXPECT_TRUE(refused(narrow));
}

TEST_P(CsrTest, AnyNumberOfThreadsGivesTheSameBits) {
  auto a = random_matrix<float>(std::vector<int>(40000, 19), 9000, 5);
  std::mt19937 random(6);
  for (float& value : a.data) value = static_cast<float>(random()) * 1e-9f;
  std::vector<float> x(a.cols);
  for (float& value : x) value = static_cast<float>(random()) * 1e-9f;
  const auto product = [&](int threads) {
    ThreadPool::shared().set_threads(threads);
    std::vector<float> y(a.rows);
    EXPECT_TRUE(csr_matvec({&kernels()}, a.parts(), x.data(), y.data()));
    return y;
  };
  const std::vector<float> one = product(1);
  EXPECT_EQ(product(2), one);
  EXPECT_EQ(product(3), one);
  ThreadPool::shared().set_threads(0);
}
CONVMAT_ON_EACH_ISA(CsrTest);

}  // namespace
}  // namespace convmat::test
