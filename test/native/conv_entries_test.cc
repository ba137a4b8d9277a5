// The matrix of a convolution, multiplied out: against the convolution by its definition.
#include <cstdint>
#include <vector>

#include "ops/entries.h"
#include "reference.h"
#include "support.h"

namespace convmat::test {
namespace {

// [inputs][outputs]: what each input alone gives.
std::vector<std::vector<double>> columns_of(const ConvPlan& plan, const std::vector<double>& weight) {
  std::vector<std::vector<double>> columns;
  std::vector<double> x(input_size(plan));
  for (double& element : x) {
    element = 1;
    columns.push_back(reference_forward(plan, x, weight));
    element = 0;
  }
  return columns;
}

template <typename T>
void check_entries(const ConvCase& problem, DType dtype) {
  ConvPlan plan = plan_of(problem, ConvOp::forward, dtype);
  plan.batch = 1;
  if (input_size(plan) * output_size(plan) > 50'000) return;
  // No two weights cancel, and some are zero.
  std::vector<double> weight(weight_size(plan));
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<double>(i * 7 % 5);
  const auto columns = columns_of(plan, weight);
  int64_t nnz = 0;
  for (const auto& column : columns) {
    for (const double value : column) nnz += value != 0;
  }

  const std::vector<T> w(weight.begin(), weight.end());
  const int64_t rows = output_size(plan);
  std::vector<int32_t> indptr(rows + 1, -7), indices(nnz, -7);
  std::vector<T> data(nnz, T{-7});
  const CsrParts parts{nnz, indptr.data(), indices.data(), data.data()};
  ASSERT_TRUE(conv_entries(plan, w.data(), parts)) << problem;
  ASSERT_EQ(indptr.front(), 0);
  ASSERT_EQ(indptr.back(), nnz) << problem;
  for (int64_t row = 0; row < rows; ++row) {
    int32_t p = indptr[row];
    for (size_t column = 0; column < columns.size(); ++column) {
      if (columns[column][row] == 0) continue;
      ASSERT_LT(p, indptr[row + 1]) << problem << " row " << row;
      ASSERT_EQ(indices[p], column) << problem << " row " << row;
      ASSERT_EQ(data[p++], columns[column][row]) << problem << " row " << row;
    }
    ASSERT_EQ(p, indptr[row + 1]) << problem << " row " << row;
  }

  // One too few is noticed before anything is written past the end, which a sanitizer would see.
  if (nnz == 0) return;
  std::vector<int32_t> short_indices(nnz - 1);
  std::vector<T> short_data(nnz - 1);
  EXPECT_FALSE(
      conv_entries(plan, w.data(), {nnz - 1, indptr.data(), short_indices.data(), short_data.data()}));
  indices.push_back(0);
  data.push_back(0);
  EXPECT_FALSE(conv_entries(plan, w.data(), {nnz + 1, indptr.data(), indices.data(), data.data()}));
}

TEST(ConvEntries, AreTheColumnsOfTheConvolution) {
  for (const ConvCase& problem : conv_cases()) {
    check_entries<float>(problem, DType::f32);
    check_entries<double>(problem, DType::f64);
  }
}

}  // namespace
}  // namespace convmat::test
