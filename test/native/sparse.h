// Sparse matrices to test with.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "ops/csr.h"
#include "support.h"

namespace convmat::test {

template <typename T>
struct Matrix {
  int64_t rows, cols;
  std::vector<int32_t> indptr, indices;
  std::vector<T> data;

  CsrMatrix parts() const {
    return {sizeof(T) == 4 ? DType::f32 : DType::f64,
            rows,
            cols,
            static_cast<int64_t>(data.size()),
            indptr.data(),
            indices.data(),
            data.data()};
  }
};

// Rows of the given lengths, their columns in any order and sometimes twice.
template <typename T>
Matrix<T> random_matrix(const std::vector<int>& lengths, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  Matrix<T> matrix{static_cast<int64_t>(lengths.size()), cols, {0}, {}, {}};
  for (const int length : lengths) {
    for (int k = 0; k < length; ++k) matrix.indices.push_back(static_cast<int32_t>(random() % cols));
    matrix.indptr.push_back(static_cast<int32_t>(matrix.indices.size()));
  }
  matrix.data = whole_numbers<T>(matrix.indices.size(), seed + 1);
  return matrix;
}

}  // namespace convmat::test
