// Singular values, against those of a one-sided Jacobi iteration over real matrices of twice the size.
#include "ops/singular_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

struct Complex {
  int64_t rows, cols;
  std::vector<double> re, im;
};

Complex random_matrix(int64_t rows, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> entry(-1, 1);
  Complex m{rows, cols, std::vector<double>(rows * cols), std::vector<double>(rows * cols)};
  for (double& value : m.re) value = entry(random);
  for (double& value : m.im) value = entry(random);
  return m;
}

// Columns of [re -im; im re], made orthogonal pair by pair: their lengths are the singular values, each
// twice.
std::vector<double> jacobi(const Complex& m) {
  const int64_t rows = 2 * m.rows, cols = 2 * m.cols;
  std::vector<std::vector<double>> a(cols, std::vector<double>(rows));
  for (int64_t i = 0; i < m.rows; ++i) {
    for (int64_t j = 0; j < m.cols; ++j) {
      const double re = m.re[i * m.cols + j], im = m.im[i * m.cols + j];
      a[j][i] = a[j + m.cols][i + m.rows] = re;
      a[j][i + m.rows] = im;
      a[j + m.cols][i] = -im;
    }
  }
  const auto dot = [&](int64_t p, int64_t q) {
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i) sum += a[p][i] * a[q][i];
    return sum;
  };
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (int64_t p = 0; p < cols; ++p) {
      for (int64_t q = p + 1; q < cols; ++q) {
        const double pq = dot(p, q);
        if (pq == 0) continue;
        const double tau = (dot(q, q) - dot(p, p)) / (2 * pq);
        const double t = (tau >= 0 ? 1 : -1) / (std::abs(tau) + std::hypot(1.0, tau));
        const double c = 1 / std::hypot(1.0, t), s = c * t;
        for (int64_t i = 0; i < rows; ++i) {
          const double x = a[p][i], y = a[q][i];
          a[p][i] = c * x - s * y;
          a[q][i] = s * x + c * y;
        }
      }
    }
  }
  std::vector<double> all;
  for (int64_t p = 0; p < cols; ++p) all.push_back(std::sqrt(dot(p, p)));
  std::sort(all.rbegin(), all.rend());
  std::vector<double> values;
  for (int64_t k = 0; k < std::min(m.rows, m.cols); ++k) values.push_back(all[2 * k]);
  return values;
}

std::vector<double> sorted_values(const Complex& m) {
  std::vector<double> values(std::min(m.rows, m.cols));
  singular_values(1, m.rows, m.cols, m.re.data(), m.im.data(), values.data());
  std::sort(values.rbegin(), values.rend());
  return values;
}

void check(const Complex& m) {
  const std::vector<double> expected = jacobi(m), got = sorted_values(m);
  const double tolerance = 1e-13 * (1 + expected.front());
  for (size_t k = 0; k < expected.size(); ++k) {
    EXPECT_NEAR(got[k], expected[k], tolerance) << m.rows << " x " << m.cols << ", value " << k;
  }
}

TEST(SingularValues, ThoseOfJacobi) {
  uint32_t seed = 0;
  for (const int64_t rows : {1, 2, 3, 5, 8, 13}) {
    for (const int64_t cols : {1, 2, 4, 7, 13, 16}) check(random_matrix(rows, cols, ++seed));
  }
}

TEST(SingularValues, OfRankOneAndOfNothing) {
  Complex m = random_matrix(6, 5, 1);
  for (int64_t i = 1; i < 6; ++i) {
    for (int64_t j = 0; j < 5; ++j) {
      m.re[i * 5 + j] = i * m.re[j];
      m.im[i * 5 + j] = i * m.im[j];
    }
  }
  check(m);
  const std::vector<double> zeros(30, 0.0);
  EXPECT_EQ(sorted_values({6, 5, zeros, zeros}), std::vector<double>(5, 0.0));
}

TEST(SingularValues, OfADiagonalAreItsSizes) {
  Complex m{3, 4, std::vector<double>(12), std::vector<double>(12)};
  m.re[0] = 3, m.im[0] = -4, m.im[5] = 2, m.re[10] = -1;
  const std::vector<double> got = sorted_values(m);
  EXPECT_NEAR(got[0], 5, 1e-14);
  EXPECT_NEAR(got[1], 2, 1e-14);
  EXPECT_NEAR(got[2], 1, 1e-14);
}

TEST(SingularValues, OfManyAreThoseOfEach) {
  constexpr int64_t count = 257, rows = 3, cols = 4;
  std::vector<double> re, im;
  for (uint32_t k = 0; k < count; ++k) {
    const Complex m = random_matrix(rows, cols, k);
    re.insert(re.end(), m.re.begin(), m.re.end());
    im.insert(im.end(), m.im.begin(), m.im.end());
  }
  re[100 * rows * cols] = std::numeric_limits<double>::infinity();
  std::vector<double> values(count * rows);
  singular_values(count, rows, cols, re.data(), im.data(), values.data());
  for (uint32_t k = 0; k < count; ++k) {
    std::vector<double> got(values.begin() + k * rows, values.begin() + (k + 1) * rows);
    if (k == 100) {
      for (const double value : got) EXPECT_NE(value, value);
      continue;
    }
    std::sort(got.rbegin(), got.rend());
    EXPECT_EQ(got, sorted_values(random_matrix(rows, cols, k))) << k;
  }
}

}  // namespace
}  // namespace convmat::test
