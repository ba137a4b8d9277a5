// Sparse matrices whose offsets and columns may lead anywhere: refused, or multiplied as the definition says;
// and the matrices of convolutions.
#include <algorithm>
#include <limits>

#include "../reference.h"
#include "fuzz.h"
#include "ops/csr.h"
#include "ops/entries.h"
#include "plan/wire.h"

namespace convmat::test {
namespace {

template <typename T>
struct Matrix {
  int64_t rows, cols;
  std::vector<int32_t> indptr, indices;
  Operand<T> data;

  CsrMatrix parts() const {
    return {sizeof(T) == 4 ? DType::f32 : DType::f64,
            rows,
            cols,
            data.size(),
            indptr.data(),
            indices.data(),
            data.data()};
  }
  bool is_sound() const {
    for (int64_t r = 0; r < rows; ++r) {
      if (indptr[r] < 0 || indptr[r + 1] < indptr[r] || indptr[r + 1] > data.size()) return false;
      for (int32_t p = indptr[r]; p < indptr[r + 1]; ++p) {
        if (indices[p] < 0 || indices[p] >= cols) return false;
      }
    }
    return true;
  }
};

int32_t draw_lie(FuzzedDataProvider& in) {
  return in.PickValueInArray<int32_t>({-1, 0, 1, 7, 1000, std::numeric_limits<int32_t>::max(),
                                       std::numeric_limits<int32_t>::max() - 1,
                                       std::numeric_limits<int32_t>::min()});
}

template <typename T>
Matrix<T> draw_matrix(FuzzedDataProvider& in) {
  const int64_t rows = draw_size(in, 0, 300), cols = draw_size(in, 0, 300), longest = draw_size(in, 0, 100);
  const auto seed = in.ConsumeIntegral<uint16_t>();
  std::mt19937 random(seed);
  std::vector<int32_t> indptr{0}, indices;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t length = cols == 0 ? 0 : static_cast<int64_t>(random() % (longest + 1));
    for (int64_t k = 0; k < length; ++k) indices.push_back(static_cast<int32_t>(random() % cols));
    indptr.push_back(static_cast<int32_t>(indices.size()));
  }
  const auto nnz = static_cast<int64_t>(indices.size());
  Matrix<T> matrix{rows, cols, std::move(indptr), std::move(indices),
                   whole_operand<T>(nnz, draw(in, 0, 3), seed)};
  for (int64_t lies = draw(in, 0, 3); lies > 0; --lies) {
    if (in.ConsumeBool() && nnz > 0) {
      matrix.indices[draw(in, 0, nnz - 1)] = draw_lie(in);
    } else {
      matrix.indptr[draw(in, 0, rows)] = draw_lie(in);
    }
  }
  return matrix;
}

template <typename T>
void check_products(FuzzedDataProvider& in) {
  const Matrix<T> a = draw_matrix<T>(in);
  const int64_t columns = draw_size(in, 0, 40), offset = draw(in, 0, 3);
  const bool sound = a.is_sound();
  const Operand<T> x = whole_operand<T>(a.cols, offset, 1), y = whole_operand<T>(a.rows, offset, 2),
                   many = whole_operand<T>(a.cols * columns, offset, 3);
  std::vector<T> product(a.rows), transposed(a.cols), products(a.rows * columns);
  for (int64_t r = 0; sound && r < a.rows; ++r) {
    for (int32_t p = a.indptr[r]; p < a.indptr[r + 1]; ++p) {
      product[r] += a.data[p] * x[a.indices[p]];
      transposed[a.indices[p]] += a.data[p] * y[r];
      for (int64_t c = 0; c < columns; ++c) {
        products[r * columns + c] += a.data[p] * many[a.indices[p] * columns + c];
      }
    }
  }
  const auto check = [&](bool accepted, const Operand<T>& got, const std::vector<T>& expected,
                         const std::string& name) {
    demand(accepted == sound,
           name + ": " + (accepted ? "took what leads outside" : "refused a sound matrix"));
    demand(!sound || std::equal(expected.begin(), expected.end(), got.data()), name + ": wrong result");
  };
  for (const KernelTable* kernels : available_kernels()) {
    const Context context{kernels};
    const std::string isa = kernels->name;
    Operand<T> to_rows(a.rows, offset), to_cols(a.cols, offset), to_many(a.rows * columns, offset);
    check(csr_matvec(context, a.parts(), x.data(), to_rows.data()), to_rows, product, isa + " matvec");
    check(csr_rmatvec(context, a.parts(), y.data(), to_cols.data()), to_cols, transposed, isa + " rmatvec");
    check(csr_matmat(context, a.parts(), columns, many.data(), to_many.data()), to_many, products,
          isa + " matmat");
  }
}

// y of the forward convolution by its matrix; a count of entries that lies is noticed.
template <typename T>
void check_entries(FuzzedDataProvider& in) {
  ConvCase problem{};
  problem.mode = in.PickValueInArray(kModes);
  problem.batch = 1;
  problem.groups = draw(in, 1, 3);
  problem.in_channels = problem.groups * draw(in, 0, 3);
  problem.out_channels = problem.groups * draw(in, 0, 3);
  for (AxisCase& axis : problem.axis) {
    axis = {draw(in, 0, 9), draw(in, 1, 4), draw(in, 1, 3), draw(in, 1, 3), draw(in, 0, 4), draw(in, 0, 4)};
  }
  const DType dtype = sizeof(T) == 4 ? DType::f32 : DType::f64;
  const ConvPlan plan =
      conv_plan(fields_of(plan_of(problem, ConvOp::forward, dtype)).data(), operation(ConvOp::forward)).conv;
  const int64_t inputs = input_size(plan), outputs = output_size(plan);
  if (inputs * outputs > kMostElements) return;
  // Sums of these are never 0 but of zeros, as several taps may read one element.
  const auto seed = in.ConsumeIntegral<uint16_t>();
  Operand<T> weight(weight_size(plan), draw(in, 0, 3));
  std::mt19937 random(seed);
  for (int64_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<T>(random() % 4);

  std::vector<double> dense(inputs * outputs), unit(inputs);
  int64_t nnz = 0;
  for (int64_t column = 0; column < inputs; ++column) {
    unit[column] = 1;
    const std::vector<double> image = reference_forward(plan, unit, weight.widened());
    unit[column] = 0;
    for (int64_t row = 0; row < outputs; ++row) {
      dense[row * inputs + column] = image[row];
      nnz += image[row] != 0;
    }
  }
  const int64_t claimed = std::max<int64_t>(0, nnz + draw(in, -2, 2));
  std::vector<int32_t> indptr(outputs + 1, -7), indices(claimed, -7);
  std::vector<T> entries(claimed, T{-7});
  const bool accepted =
      conv_entries(plan, weight.data(), {claimed, indptr.data(), indices.data(), entries.data()});
  demand(accepted == (claimed == nnz),
         described(plan) + ": " + std::to_string(claimed) + " entries of " + std::to_string(nnz));
  if (!accepted) return;
  demand(indptr.front() == 0 && indptr.back() == nnz, "entries: offsets");
  for (int64_t row = 0; row < outputs; ++row) {
    for (int32_t p = indptr[row]; p < indptr[row + 1]; ++p) {
      demand(p == indptr[row] || indices[p - 1] < indices[p], "entries: columns ascend");
      double& element = dense[row * inputs + indices[p]];
      demand(element == entries[p] && element != 0, "entries: wrong value");
      element = 0;
    }
  }
  demand(std::all_of(dense.begin(), dense.end(), [](double value) { return value == 0; }),
         "entries: one is missing");
}

}  // namespace
}  // namespace convmat::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace convmat::test;
  FuzzedDataProvider in(data, size);
  try {
    switch (in.ConsumeIntegralInRange(0, 3)) {
      case 0:
        check_products<float>(in);
        break;
      case 1:
        check_products<double>(in);
        break;
      case 2:
        check_entries<float>(in);
        break;
      default:
        check_entries<double>(in);
    }
  } catch (const convmat::Refusal&) {
  }
  return 0;
}
