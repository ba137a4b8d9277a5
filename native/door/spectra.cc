#include "door/spectra.h"

#include <algorithm>

#include "ops/singular_values.h"

namespace convmat::door {

void singular_values(const Call& call) {
  const int64_t rows = read_size(call[0], "rows");
  const int64_t cols = read_size(call[1], "cols");
  const Array re = read_array(call[2], "re");
  if (dtype_of(re, "re") != DType::f64)
    throw Refusal(std::string("re: expected float64, got ") + dtype_name(dtype_of(re, "re")));
  const auto length = static_cast<int64_t>(re.length);
  if (rows < 1 || cols < 1 || rows > length / cols) {
    throw Refusal("rows, cols: expected a matrix that the arrays hold, got " + quantity(rows) + " and " +
                  quantity(cols) + " with " + quantity(length) + " elements");
  }
  const int64_t count = length / (rows * cols);
  if (count * rows * cols != length)
    throw Refusal("re: expected whole matrices, got " + quantity(length) + " elements");
  const void* const im = read_elements(call[3], DType::f64, length, "im");
  void* const values = read_result(call[4], DType::f64, count * std::min(rows, cols), "values");
  convmat::singular_values(count, rows, cols, static_cast<const double*>(re.data),
                           static_cast<const double*>(im), static_cast<double*>(values));
}

}  // namespace convmat::door
