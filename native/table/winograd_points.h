// The points at which Winograd's tiles are evaluated, beside infinity. F(2, 3): 0, 1, -1. F(4, 3): 0, +-5/8,
// +-3/2, which halve the error of the textbook's 0, +-1, +-2: their powers stay near one another. All are
// short binary fractions, so that no constant of the transforms is rounded.
#pragma once

namespace convmat {

constexpr double kWinogradNear = 0.625, kWinogradFar = 1.5;

// Of weights: row j is (1, p, p^2) / product of (p - q) over the other finite points q, for the j-th point p;
// infinity is last.
struct WinogradWeightRows {
  double g[6][3];
};

constexpr WinogradWeightRows winograd_weight_rows(int m) {
  const double points[2][5] = {{0, 1, -1}, {0, kWinogradNear, -kWinogradNear, kWinogradFar, -kWinogradFar}};
  WinogradWeightRows rows = {};
  for (int j = 0; j < m + 1; ++j) {
    const double p = points[m == 4][j];
    double product = 1;
    for (int l = 0; l < m + 1; ++l) product *= l == j ? 1 : p - points[m == 4][l];
    rows.g[j][0] = 1 / product;
    rows.g[j][1] = p / product;
    rows.g[j][2] = p * p / product;
  }
  rows.g[m + 1][2] = 1;
  return rows;
}

}  // namespace convmat
