#include "door/matrix.h"

#include <limits>
#include <utility>
#include <vector>

#include "door/plans.h"
#include "ops/csr.h"
#include "ops/csr_combine.h"
#include "ops/entries.h"
#include "plan/dispatch.h"

namespace convmat::door {
namespace {

// Offsets and columns are int32.
constexpr int64_t kMostEntries = std::numeric_limits<int32_t>::max();

// A matrix with what leads through memory, offsets and columns, copied where it could change after it was
// checked.
struct MatrixArgument : CsrMatrix {
  std::vector<int32_t> own_indptr, own_indices;
};

void copy_if_shared(const Value& array, int64_t length, const int32_t*& elements, std::vector<int32_t>& own) {
  if (!is_shared(array)) return;
  own.assign(elements, elements + length);
  elements = own.data();
}

// A result over a matrix's own offsets or columns would change them while they are read.
void check_apart(const CsrMatrix& matrix, const void* result, int64_t length, const char* name) {
  const auto begin = reinterpret_cast<uintptr_t>(result);
  const uintptr_t end = begin + static_cast<size_t>(length * bytes_of(matrix.dtype));
  const auto overlaps = [&](const int32_t* array, int64_t count) {
    const auto first = reinterpret_cast<uintptr_t>(array);
    return begin < first + static_cast<size_t>(count) * sizeof(int32_t) && first < end;
  };
  if (overlaps(matrix.indptr, matrix.rows + 1) || overlaps(matrix.indices, matrix.nnz))
    throw Refusal(std::string(name) + ": expected memory of its own, got the matrix's");
}

// rows, cols, indptr, indices, data, from the argument `at` on.
constexpr size_t kMatrixArguments = 5;
MatrixArgument read_matrix(const Call& call, size_t at = 0) {
  MatrixArgument matrix{};
  matrix.rows = read_size(call[at], "rows");
  matrix.cols = read_size(call[at + 1], "cols");
  matrix.indptr =
      static_cast<const int32_t*>(read_elements(call[at + 2], DType::i32, matrix.rows + 1, "indptr"));
  const Array data = read_array(call[at + 4], "data");
  matrix.dtype = float_dtype_of(data, "data");
  matrix.nnz = static_cast<int64_t>(data.length);
  matrix.indices =
      static_cast<const int32_t*>(read_elements(call[at + 3], DType::i32, matrix.nnz, "indices"));
  matrix.data = data.data;
  copy_if_shared(call[at + 2], matrix.rows + 1, matrix.indptr, matrix.own_indptr);
  copy_if_shared(call[at + 3], matrix.nnz, matrix.indices, matrix.own_indices);
  return matrix;
}

Context context_of(const Call& call) { return Context{&kernels_of(call)}; }

void check_sound(bool is_sound) {
  if (!is_sound) throw Refusal("indices: expected columns within the matrix, got others since it was made");
}

struct Combination {
  CsrCombination operation;
  MatrixArgument a, b;
  size_t next;  // the argument behind them
};

// Whether it is a product, a, b.
Combination read_combination(const Call& call) {
  const bool is_product = read_boolean(call[0]);
  MatrixArgument a = read_matrix(call, 1), b = read_matrix(call, 1 + kMatrixArguments);
  if (a.dtype != b.dtype) {
    throw Refusal(std::string("data: expected two matrices of one dtype, got ") + dtype_name(a.dtype) +
                  " and " + dtype_name(b.dtype));
  }
  if (is_product ? a.cols != b.rows : a.rows != b.rows || a.cols != b.cols)
    throw Refusal("b: expected a shape that fits a's, " + quantity(a.rows) + " x " + quantity(a.cols) +
                  ", got " + quantity(b.rows) + " x " + quantity(b.cols));
  const auto operation = is_product ? CsrCombination::product : CsrCombination::sum;
  return {operation, std::move(a), std::move(b), 1 + 2 * kMatrixArguments};
}

}  // namespace

void conv_entries(const Call& call) {
  const WirePlan plan = read_conv_plan(call[0], operation(ConvOp::forward));
  const DType dtype = checked_float(plan.conv.dtype, "plan.dtype");
  if (plan.conv.batch != 1) throw Refusal("plan.batch: expected 1, got " + quantity(plan.conv.batch));
  if (plan.input_length > kMostEntries) throw Refusal("plan: expected at most 2^31 - 1 inputs");
  const void* const weight = read_elements(call[1], dtype, plan.weight_length, "weight");
  CsrParts parts{};
  parts.indptr = static_cast<int32_t*>(read_elements(call[2], DType::i32, plan.output_length + 1, "indptr"));
  const Array indices = read_array(call[3], "indices");
  parts.nnz = static_cast<int64_t>(indices.length);
  parts.indices = static_cast<int32_t*>(read_elements(call[3], DType::i32, parts.nnz, "indices"));
  parts.data = read_elements(call[4], dtype, parts.nnz, "data");
  if (parts.nnz > kMostEntries) throw Refusal("indices: expected at most 2^31 - 1");
  if (!convmat::conv_entries(plan.conv, weight, parts))
    throw Refusal("indices: expected one for each entry of the matrix");
}

void csr_matvec(const Call& call) {
  const MatrixArgument matrix = read_matrix(call);
  const void* const x = read_elements(call[5], matrix.dtype, matrix.cols, "x");
  void* const y = read_result(call[6], matrix.dtype, matrix.rows, "y");
  check_apart(matrix, y, matrix.rows, "y");
  check_sound(convmat::csr_matvec(context_of(call), matrix, x, y));
}

void csr_rmatvec(const Call& call) {
  const MatrixArgument matrix = read_matrix(call);
  const void* const y = read_elements(call[5], matrix.dtype, matrix.rows, "y");
  void* const x = read_result(call[6], matrix.dtype, matrix.cols, "x");
  check_apart(matrix, x, matrix.cols, "x");
  check_sound(convmat::csr_rmatvec(context_of(call), matrix, y, x, read_boolean(call[7])));
}

void csr_matmat(const Call& call) {
  const MatrixArgument matrix = read_matrix(call);
  const int64_t columns = read_size(call[5], "columns");
  const void* const x = read_elements(call[6], matrix.dtype, checked_product({matrix.cols, columns}), "x");
  void* const y = read_result(call[7], matrix.dtype, checked_product({matrix.rows, columns}), "y");
  check_apart(matrix, y, matrix.rows * columns, "y");
  check_sound(convmat::csr_matmat(context_of(call), matrix, columns, x, y));
}

double csr_combined_sizes(const Call& call) {
  const auto [operation, a, b, next] = read_combination(call);
  auto* const indptr = static_cast<int32_t*>(read_elements(call[next], DType::i32, a.rows + 1, "indptr"));
  int64_t entries = 0;
  check_sound(convmat::csr_combined_sizes(operation, a, b, indptr, &entries));
  return static_cast<double>(entries);
}

void csr_combine(const Call& call) {
  const auto [operation, a, b, next] = read_combination(call);
  CsrParts parts{};
  parts.indptr = static_cast<int32_t*>(read_elements(call[next], DType::i32, a.rows + 1, "indptr"));
  const Array indices = read_array(call[next + 1], "indices");
  parts.nnz = static_cast<int64_t>(indices.length);
  parts.indices = static_cast<int32_t*>(read_result(call[next + 1], DType::i32, parts.nnz, "indices"));
  parts.data = read_result(call[next + 2], a.dtype, parts.nnz, "data");
  check_sound(convmat::csr_combine(operation, a, b, parts));
}

}  // namespace convmat::door
