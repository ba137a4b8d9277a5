// Products and sums of matrices in compressed sparse rows: each row over a dense row of sums (Gustavson 1978,
// "Two fast algorithms for sparse matrices"), once to count its entries and once to write them. JavaScript
// can write into the arrays of a matrix after they were checked, so offsets and columns are checked as they
// are read.
#include "ops/csr_combine.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// Of a core: finding or making a term's place in a row of sums.
constexpr double kNsPerTerm = 3;
// Rows of a chunk of work: each chunk makes a row of sums as wide as the result.
constexpr int64_t kChunks = 16;
// Columns of one row up to which insertion is the fastest way to sort them.
constexpr int64_t kInsertionSorted = 24;

struct Range {
  int64_t begin, end;
  bool is_sound;
};

Range row_range(const CsrMatrix& matrix, int64_t row) {
  const int64_t begin = matrix.indptr[row], end = matrix.indptr[row + 1];
  return {begin, end, 0 <= begin && begin <= end && end <= matrix.nnz};
}

// term(column, value) for each stored entry of a row, times a factor; false when one leads outside.
template <typename T, class Term>
bool visit_row(const CsrMatrix& matrix, int64_t row, double factor, const Term& term) {
  const Range range = row_range(matrix, row);
  if (!range.is_sound) return false;
  const T* const data = static_cast<const T*>(matrix.data);
  for (int64_t p = range.begin; p < range.end; ++p) {
    const int64_t column = matrix.indices[p];
    if (column < 0 || column >= matrix.cols) return false;
    term(static_cast<int32_t>(column), factor * static_cast<double>(data[p]));
  }
  return true;
}

// The same for each term of a row of the result.
template <typename T, class Term>
bool visit_terms(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, int64_t row,
                 const Term& term) {
  if (combination == CsrCombination::sum)
    return visit_row<T>(a, row, 1, term) && visit_row<T>(b, row, 1, term);
  bool is_sound = true;
  const bool is_read = visit_row<T>(a, row, 1, [&](int32_t inner, double factor) {
    is_sound = is_sound && visit_row<T>(b, inner, factor, term);
  });
  return is_read && is_sound;
}

void sort_columns(int32_t* columns, int64_t count) {
  if (count > kInsertionSorted) {
    std::sort(columns, columns + count);
    return;
  }
  for (int64_t i = 1; i < count; ++i) {
    const int32_t column = columns[i];
    int64_t at = i;
    for (; at > 0 && columns[at - 1] > column; --at) columns[at] = columns[at - 1];
    columns[at] = column;
  }
}

// body(row, marks, sums) for every row, on any threads; a column that the row has reached is marked by it.
template <class Body>
bool for_each_row(const CsrMatrix& a, const CsrMatrix& b, bool with_sums, const Body& body) {
  const int64_t chunks = std::min(kChunks, a.rows);
  std::atomic<bool> is_sound{true};
  const double terms = static_cast<double>(a.nnz) + static_cast<double>(b.nnz);
  parallel_for(chunks, kNsPerTerm * terms, [&](int64_t chunk) {
    std::vector<int64_t> marks(static_cast<size_t>(b.cols), -1);
    std::vector<double> sums(with_sums ? static_cast<size_t>(b.cols) : 0);
    const int64_t end = (chunk + 1) * a.rows / chunks;
    for (int64_t row = chunk * a.rows / chunks; row < end; ++row) {
      if (body(row, marks.data(), sums.data())) continue;
      is_sound.store(false, std::memory_order_relaxed);
      return;
    }
  });
  return is_sound.load(std::memory_order_relaxed);
}

template <typename T>
bool count_entries(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, int32_t* indptr) {
  return for_each_row(a, b, false, [&](int64_t row, int64_t* marks, double*) {
    int32_t count = 0;
    const bool is_sound = visit_terms<T>(combination, a, b, row, [&](int32_t column, double) {
      if (marks[column] == row) return;
      marks[column] = row;
      ++count;
    });
    indptr[row + 1] = count;
    return is_sound;
  });
}

template <typename T>
bool write_entries(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, const CsrParts& c) {
  T* const data = static_cast<T*>(c.data);
  return for_each_row(a, b, true, [&](int64_t row, int64_t* marks, double* sums) {
    const int64_t begin = c.indptr[row], end = c.indptr[row + 1];
    if (begin < 0 || end < begin || end > c.nnz) return false;
    int32_t* const columns = c.indices + begin;
    int64_t count = 0;
    bool fits = true;
    const bool is_sound = visit_terms<T>(combination, a, b, row, [&](int32_t column, double value) {
      if (marks[column] == row) {
        sums[column] += value;
        return;
      }
      if (count == end - begin) {
        fits = false;
        return;
      }
      marks[column] = row;
      sums[column] = value;
      columns[count++] = column;
    });
    if (!is_sound || !fits || count != end - begin) return false;
    sort_columns(columns, count);
    for (int64_t i = 0; i < count; ++i) data[begin + i] = static_cast<T>(sums[columns[i]]);
    return true;
  });
}

}  // namespace

bool csr_combined_sizes(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, int32_t* indptr,
                        int64_t* entries) {
  const auto count = a.dtype == DType::f64 ? count_entries<double> : count_entries<float>;
  indptr[0] = 0;
  if (!count(combination, a, b, indptr)) return false;
  *entries = 0;
  for (int64_t row = 0; row < a.rows; ++row) {
    *entries += indptr[row + 1];
    if (*entries <= std::numeric_limits<int32_t>::max()) indptr[row + 1] = static_cast<int32_t>(*entries);
  }
  return true;
}

bool csr_combine(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, const CsrParts& c) {
  const auto write = a.dtype == DType::f64 ? write_entries<double> : write_entries<float>;
  return write(combination, a, b, c);
}

}  // namespace convmat
