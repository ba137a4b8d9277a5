// Products and sums of matrices in compressed sparse rows, a row at a time. A product gathers its terms in a
// dense row of sums (Gustavson 1978, "Two fast algorithms for sparse matrices"), a sum of rows whose columns
// ascend merges them. Each row is done twice: once to count its entries and once to write them. JavaScript
// can write into the arrays of a matrix after they were checked, so offsets and columns are checked as they
// are read.
#include "ops/csr_combine.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

#include "plan/dispatch.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// Of a core: finding or making a term's place in a row of sums.
constexpr double kNsPerTerm = 2;
// Chunks of work, each with a row of sums of its own.
constexpr int64_t kChunks = 16;
// Columns of one row up to which insertion is the fastest way to sort them.
constexpr int64_t kInsertionSorted = 16;
// Columns between a row's first and last, for each of its entries, up to which looking at all of them is
// faster than sorting.
constexpr int64_t kSpread = 64;

struct Range {
  int64_t begin, end;
  bool is_sound;
};

Range row_range(const CsrMatrix& matrix, int64_t row) {
  const int64_t begin = matrix.indptr[row], end = matrix.indptr[row + 1];
  return {begin, end, 0 <= begin && begin <= end && end <= matrix.nnz};
}

// Which columns a row has reached, in the order in which it reached them; and their sums, which stay zero
// elsewhere.
class Row {
 public:
  // Not a byte: what is written through a byte's address may be any member, as far as a compiler knows.
  using Flag = uint16_t;

  Row(int64_t cols, bool with_sums)
      : is_reached_(static_cast<size_t>(cols + kFlags)),
        columns_(static_cast<size_t>(cols) + 1),
        sums_(with_sums ? static_cast<size_t>(cols) : 0) {}

  void reach(int32_t column) {
    // Stored in any case: whether a column is new is hard to predict.
    columns_[static_cast<size_t>(count_)] = column;
    Flag& is_reached = is_reached_[static_cast<size_t>(column)];
    count_ += is_reached == 0;
    is_reached = 1;
  }
  void add(int32_t column, double value) {
    reach(column);
    sums_[static_cast<size_t>(column)] += value;
  }
  int64_t count() const { return count_; }

  // The columns ascending, with their sums, which are zero again; there is room for `count`.
  template <typename T>
  void take(int32_t* columns, T* data) {
    sort();
    for (int64_t i = 0; i < count_; ++i) {
      const int32_t column = columns_[static_cast<size_t>(i)];
      double& sum = sums_[static_cast<size_t>(column)];
      columns[i] = column;
      data[i] = static_cast<T>(sum);
      sum = 0;
    }
    clear();
  }

  void clear() {
    for (int64_t i = 0; i < count_; ++i)
      is_reached_[static_cast<size_t>(columns_[static_cast<size_t>(i)])] = 0;
    count_ = 0;
  }

 private:
  void sort() {
    int32_t* const columns = columns_.data();
    if (count_ <= kInsertionSorted) {
      for (int64_t i = 1; i < count_; ++i) {
        const int32_t column = columns[i];
        int64_t at = i;
        for (; at > 0 && columns[at - 1] > column; --at) columns[at] = columns[at - 1];
        columns[at] = column;
      }
      return;
    }
    const auto [first, last] = std::minmax_element(columns, columns + count_);
    const int64_t begin = *first, end = *last;
    if (end - begin > kSpread * count_) {
      std::sort(columns, columns + count_);
      return;
    }
    int64_t found = 0;
    for (int64_t at = begin; at <= end; at += kFlags) {
      uint64_t flags;
      std::memcpy(&flags, is_reached_.data() + at, sizeof flags);
      if (flags == 0) continue;
      for (int64_t column = at; column < at + kFlags; ++column) {
        columns[found] = static_cast<int32_t>(column);
        found += found < count_ ? is_reached_[static_cast<size_t>(column)] : 0;
      }
    }
  }

  // How many are looked at at a time.
  static constexpr int64_t kFlags = sizeof(uint64_t) / sizeof(Flag);

  std::vector<Flag> is_reached_;
  std::vector<int32_t> columns_;
  std::vector<double> sums_;
  int64_t count_ = 0;
};

// term(column, value) for each stored entry of a row, times a factor; false when one leads outside.
template <typename T, class Term>
bool visit_row(const CsrMatrix& matrix, int64_t row, double factor, const Term& term) {
  const Range range = row_range(matrix, row);
  if (!range.is_sound) return false;
  const T* const data = static_cast<const T*>(matrix.data);
  const auto cols = static_cast<uint32_t>(matrix.cols);
  for (int64_t p = range.begin; p < range.end; ++p) {
    const int32_t column = matrix.indices[p];
    if (static_cast<uint32_t>(column) >= cols) return false;
    term(column, factor * static_cast<double>(data[p]));
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

// Rows of two matrices merged: entry(column, value) for each column of either, ascending. False, after some
// of them, when one's columns do not ascend, or lead outside.
template <typename T, class Entry>
bool merge_rows(const CsrMatrix& a, const CsrMatrix& b, int64_t row, const Entry& entry) {
  const Range in_a = row_range(a, row), in_b = row_range(b, row);
  if (!in_a.is_sound || !in_b.is_sound) return false;
  const T* const a_data = static_cast<const T*>(a.data);
  const T* const b_data = static_cast<const T*>(b.data);
  int64_t p = in_a.begin, q = in_b.begin, last = -1;
  while (p < in_a.end || q < in_b.end) {
    const int64_t from_a = p < in_a.end ? a.indices[p] : a.cols;
    const int64_t from_b = q < in_b.end ? b.indices[q] : b.cols;
    const int64_t column = std::min(from_a, from_b);
    if (column <= last || column >= a.cols) return false;
    const bool has_a = from_a == column, has_b = from_b == column;
    entry(static_cast<int32_t>(column),
          (has_a ? static_cast<double>(a_data[p]) : 0) + (has_b ? static_cast<double>(b_data[q]) : 0));
    p += has_a;
    q += has_b;
    last = column;
  }
  return true;
}

// body(index of a row, row) for every row, on any threads; false when it was false for one.
template <class Body>
bool for_each_row(const CsrMatrix& a, const CsrMatrix& b, bool with_sums, const Body& body) {
  const int64_t chunks = std::min(kChunks, a.rows);
  std::atomic<bool> is_sound{true};
  const double terms = static_cast<double>(a.nnz) + static_cast<double>(b.nnz);
  parallel_for(chunks, kNsPerTerm * terms, [&](int64_t chunk) {
    Row scratch(b.cols, with_sums);
    const int64_t end = (chunk + 1) * a.rows / chunks;
    for (int64_t row = chunk * a.rows / chunks; row < end; ++row) {
      if (body(row, scratch)) continue;
      is_sound.store(false, std::memory_order_relaxed);
      return;
    }
  });
  return is_sound.load(std::memory_order_relaxed);
}

template <typename T>
bool count_entries(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, int32_t* indptr) {
  return for_each_row(a, b, false, [&](int64_t row, Row& scratch) {
    int32_t count = 0;
    if (combination == CsrCombination::sum && merge_rows<T>(a, b, row, [&](int32_t, double) { ++count; })) {
      indptr[row + 1] = count;
      return true;
    }
    const bool is_sound =
        visit_terms<T>(combination, a, b, row, [&](int32_t column, double) { scratch.reach(column); });
    indptr[row + 1] = static_cast<int32_t>(scratch.count());
    scratch.clear();
    return is_sound;
  });
}

template <typename T>
bool write_entries(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, const CsrParts& c) {
  return for_each_row(a, b, true, [&](int64_t row, Row& scratch) {
    const int64_t begin = c.indptr[row], end = c.indptr[row + 1];
    if (begin < 0 || end < begin || end > c.nnz) return false;
    int32_t* const columns = c.indices + begin;
    T* const data = static_cast<T*>(c.data) + begin;
    const int64_t room = end - begin;
    int64_t count = 0;
    if (combination == CsrCombination::sum && merge_rows<T>(a, b, row, [&](int32_t column, double value) {
          if (count < room) {
            columns[count] = column;
            data[count] = static_cast<T>(value);
          }
          ++count;
        }))
      return count == room;
    const bool is_sound = visit_terms<T>(combination, a, b, row,
                                         [&](int32_t column, double value) { scratch.add(column, value); });
    if (!is_sound || scratch.count() != room) return false;
    scratch.take(columns, data);
    return true;
  });
}

}  // namespace

bool csr_combined_sizes(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, int32_t* indptr,
                        int64_t* entries) {
  indptr[0] = 0;
  const bool is_sound = dispatch_float(
      a.dtype, [&](auto zero) { return count_entries<decltype(zero)>(combination, a, b, indptr); });
  if (!is_sound) return false;
  *entries = 0;
  for (int64_t row = 0; row < a.rows; ++row) {
    *entries += indptr[row + 1];
    if (*entries <= std::numeric_limits<int32_t>::max()) indptr[row + 1] = static_cast<int32_t>(*entries);
  }
  return true;
}

bool csr_combine(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, const CsrParts& c) {
  return dispatch_float(a.dtype,
                        [&](auto zero) { return write_entries<decltype(zero)>(combination, a, b, c); });
}

}  // namespace convmat
