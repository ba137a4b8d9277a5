// GEMM micro-kernels at every tile height and width, against double loops.
#include <cmath>
#include <limits>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

constexpr int kGuard = -777;

template <typename T>
struct TileCase {
  int rows, columns;
  int64_t k, ldb;
  bool accumulate, with_bias, clamped;
};

template <typename T>
void check_tile(GemmTileFn<T>* gemm, const TileCase<T>& p) {
  const T inf = std::numeric_limits<T>::infinity();
  const std::vector<T> a = whole_numbers<T>(p.k * p.rows, 1);
  // Ends with the last column of the last row, so that a sanitizer sees any read beyond it.
  const std::vector<T> b = whole_numbers<T>(p.k == 0 ? 0 : (p.k - 1) * p.ldb + p.columns, 2);
  const std::vector<T> bias = whole_numbers<T>(p.rows, 3);
  const int64_t ldc = p.columns + 3;
  std::vector<T> c = whole_numbers<T>(p.rows * ldc, 4);
  const std::vector<T> before = c;
  const T lo = p.clamped ? T{-20} : -inf, hi = p.clamped ? T{30} : inf;

  gemm(p.rows, {p.k, a.data(), b.data(), p.ldb, c.data(), ldc, p.columns, p.accumulate,
                p.with_bias ? bias.data() : nullptr, lo, hi});

  for (int r = 0; r < p.rows; ++r) {
    for (int64_t j = 0; j < ldc; ++j) {
      double expected = before[r * ldc + j];
      if (j < p.columns) {
        if (!p.accumulate) expected = 0;
        for (int64_t k = 0; k < p.k; ++k) expected += double{a[k * p.rows + r]} * double{b[k * p.ldb + j]};
        if (p.with_bias) expected += bias[r];
        expected = std::fmin(hi, std::fmax(lo, expected));
      }
      ASSERT_EQ(c[r * ldc + j], expected)
          << p.rows << "x" << p.columns << " k " << p.k << " at " << r << ", " << j;
    }
  }
}

template <typename T>
void check_all_tiles(GemmTileFn<T>* gemm, const GemmBlocking& blocking) {
  ASSERT_GE(blocking.mr, blocking.wide_mr);
  for (int rows = 1; rows <= blocking.mr; ++rows) {
    const int widest = rows <= blocking.wide_mr ? blocking.wide_nr : blocking.nr;
    for (int columns = 1; columns <= widest; ++columns) {
      for (const int64_t k : {0, 1, 2, 37}) {
        check_tile<T>(gemm, {rows, columns, k, columns, false, false, false});
        check_tile<T>(gemm, {rows, columns, k, columns + 5, true, true, true});
      }
    }
  }
}

template <typename T>
void check_nan(GemmTileFn<T>* gemm, const GemmBlocking& blocking) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const int rows = blocking.mr, columns = blocking.nr;
  std::vector<T> a(rows, T{1}), b(columns, T{5}), c(rows * columns, T{kGuard});
  b[1] = nan;
  gemm(rows, {1, a.data(), b.data(), columns, c.data(), columns, columns, false, nullptr, T{0}, T{4}});
  for (int i = 0; i < rows * columns; ++i) {
    if (i % columns == 1) {
      EXPECT_TRUE(std::isnan(c[i]));
    } else {
      EXPECT_EQ(c[i], T{4});
    }
  }
}

using GemmTileTest = EachIsa;

TEST_P(GemmTileTest, EqualsTheSumsAtEveryTileEdge) {
  check_all_tiles<float>(kernels().f32.gemm, kernels().f32.gemm_blocking);
  check_all_tiles<double>(kernels().f64.gemm, kernels().f64.gemm_blocking);
}
TEST_P(GemmTileTest, ClampsNumbersAndPassesNan) {
  check_nan<float>(kernels().f32.gemm, kernels().f32.gemm_blocking);
  check_nan<double>(kernels().f64.gemm, kernels().f64.gemm_blocking);
}
CONVMAT_ON_EACH_ISA(GemmTileTest);

}  // namespace
}  // namespace convmat::test
