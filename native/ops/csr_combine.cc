// Products and sums of matrices in compressed sparse rows, a row at a time. A product gathers its terms in a
// dense row of sums (Gustavson 1978, "Two fast algorithms for sparse matrices"), a sum of rows whose columns
// ascend merges them, or adds entry to entry where they are the same. Each row is done twice: once to count
// its entries and once to write them. JavaScript can write into the arrays of a matrix after they were
// checked, so offsets and columns are checked as they are read.
#include "ops/csr_combine.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

#if defined(_MSC_VER) && !defined(__clang__)
  #include <intrin.h>
#endif

#include "plan/dispatch.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// Of a core: finding or making a term's place in a row of sums.
constexpr double kNsPerTerm = 2;
// Chunks of work, each with a row of sums of its own.
constexpr int64_t kChunks = 16;
// Rows that sums look at together, whose entries a first-level cache holds between two looks at them.
constexpr int64_t kBlockRows = 64;
// Columns that are looked at together for those that a row has reached.
constexpr int64_t kGroup = 64;

struct Range {
  int64_t begin, end;
  bool is_sound;
};

Range row_range(const CsrMatrix& matrix, int64_t row) {
  const int64_t begin = matrix.indptr[row], end = matrix.indptr[row + 1];
  return {begin, end, 0 <= begin && begin <= end && end <= matrix.nnz};
}

int lowest_bit(uint64_t bits) {
#if defined(_MSC_VER) && !defined(__clang__)
  unsigned long index;
  _BitScanForward64(&index, bits);
  return static_cast<int>(index);
#else
  return __builtin_ctzll(bits);
#endif
}

// Some columns of a group: bit i stands for the column group * kGroup + i.
struct Columns {
  int32_t group;
  uint64_t bits;
};

Columns columns_of(int32_t column) {
  const auto at = static_cast<uint32_t>(column);
  return {static_cast<int32_t>(at / kGroup), uint64_t{1} << (at % kGroup)};
}

// The columns of each row of a matrix by groups, as a product reads them once for each entry that meets the
// row: neighbouring columns cost one step.
class GroupedRows {
 public:
  // False when an offset or a column leads outside; what follows may rely on them otherwise.
  bool read(const CsrMatrix& matrix) {
    const auto cols = static_cast<uint32_t>(matrix.cols);
    starts_.reserve(static_cast<size_t>(matrix.rows) + 1);
    for (int64_t row = 0; row < matrix.rows; ++row) {
      starts_.push_back(groups_.size());
      const Range range = row_range(matrix, row);
      if (!range.is_sound) return false;
      int32_t last = -1;
      for (int64_t p = range.begin; p < range.end; ++p) {
        const int32_t column = matrix.indices[p];
        if (static_cast<uint32_t>(column) >= cols) return false;
        const Columns one = columns_of(column);
        if (one.group == last) {
          groups_.back().bits |= one.bits;
        } else {
          groups_.push_back(one);
          last = one.group;
        }
      }
    }
    starts_.push_back(groups_.size());
    return true;
  }

  const Columns* begin(int64_t row) const { return groups_.data() + starts_[static_cast<size_t>(row)]; }
  const Columns* end(int64_t row) const { return begin(row + 1); }

 private:
  std::vector<size_t> starts_;
  std::vector<Columns> groups_;
};

// Which columns a row has reached, and their sums; both are zero elsewhere.
class Row {
 public:
  Row(int64_t cols, bool with_sums) : cols_(cols), with_sums_(with_sums) {}

  // Before any other use: sums of rows that are the same, or merge, need none of its memory.
  Row& ready() {
    if (!bits_.empty()) return *this;
    bits_.resize(static_cast<size_t>(cols_ / kGroup + 1));
    groups_.resize(bits_.size());
    if (with_sums_) sums_.resize(static_cast<size_t>(cols_));
    return *this;
  }

  void reach(const Columns& columns) {
    uint64_t& bits = bits_[static_cast<size_t>(columns.group)];
    if (bits == 0) groups_[static_cast<size_t>(count_++)] = columns.group;
    bits |= columns.bits;
  }
  double* sums() { return sums_.data(); }

  // How many columns were reached; none is afterwards.
  int64_t count() {
    int64_t count = 0;
    for_each_group([&](int64_t, uint64_t bits) {
      for (; bits != 0; bits &= bits - 1) ++count;
    });
    return count;
  }

  // The columns ascending, with their sums; none is reached afterwards. Returns how many there are, of which
  // those past `room` are not written.
  template <typename T>
  int64_t take(int64_t room, int32_t* columns, T* data) {
    std::sort(groups_.begin(), groups_.begin() + count_);
    int64_t count = 0;
    for_each_group([&](int64_t first, uint64_t bits) {
      for (; bits != 0; bits &= bits - 1) {
        const int64_t column = first + lowest_bit(bits);
        double& sum = sums_[static_cast<size_t>(column)];
        if (count < room) {
          columns[count] = static_cast<int32_t>(column);
          data[count] = static_cast<T>(sum);
        }
        sum = 0;
        ++count;
      }
    });
    return count;
  }

 private:
  // body(first column, bits) for each group that was reached, which is none afterwards.
  template <class Body>
  void for_each_group(const Body& body) {
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t group = groups_[static_cast<size_t>(i)];
      body(group * kGroup, bits_[static_cast<size_t>(group)]);
      bits_[static_cast<size_t>(group)] = 0;
    }
    count_ = 0;
  }

  const int64_t cols_;
  const bool with_sums_;
  std::vector<uint64_t> bits_;
  std::vector<int32_t> groups_;
  std::vector<double> sums_;
  int64_t count_ = 0;
};

// term(position, column) for each stored entry of a row; false when one leads outside.
template <class Term>
bool visit_row(const CsrMatrix& matrix, int64_t row, const Term& term) {
  const Range range = row_range(matrix, row);
  if (!range.is_sound) return false;
  const auto cols = static_cast<uint32_t>(matrix.cols);
  for (int64_t p = range.begin; p < range.end; ++p) {
    const int32_t column = matrix.indices[p];
    if (static_cast<uint32_t>(column) >= cols) return false;
    term(p, column);
  }
  return true;
}

// A row of A B: which columns it has.
bool reach_product(const CsrMatrix& a, const GroupedRows& b_rows, int64_t row, Row& scratch) {
  return visit_row(a, row, [&](int64_t, int32_t inner) {
    const Columns* const end = b_rows.end(inner);
    for (const Columns* columns = b_rows.begin(inner); columns < end; ++columns) scratch.reach(*columns);
  });
}

// And its sums. Rows of b are sound, since b_rows has read them.
template <typename T>
bool sum_product(const CsrMatrix& a, const CsrMatrix& b, const GroupedRows& b_rows, int64_t row,
                 Row& scratch) {
  const T* const a_data = static_cast<const T*>(a.data);
  const T* const b_data = static_cast<const T*>(b.data);
  double* const sums = scratch.sums();
  return reach_product(a, b_rows, row, scratch) && visit_row(a, row, [&](int64_t at, int32_t inner) {
           const double factor = static_cast<double>(a_data[at]);
           const int64_t end = b.indptr[inner + 1];
           for (int64_t p = b.indptr[inner]; p < end; ++p)
             sums[b.indices[p]] += factor * static_cast<double>(b_data[p]);
         });
}

// A row of A + B whose columns are in any order.
bool reach_sum(const CsrMatrix& a, const CsrMatrix& b, int64_t row, Row& scratch) {
  const auto reach = [&](int64_t, int32_t column) { scratch.reach(columns_of(column)); };
  return visit_row(a, row, reach) && visit_row(b, row, reach);
}

template <typename T>
bool sum_rows(const CsrMatrix& a, const CsrMatrix& b, int64_t row, Row& scratch) {
  double* const sums = scratch.sums();
  const auto add_from = [&](const CsrMatrix& matrix) {
    const T* const data = static_cast<const T*>(matrix.data);
    return visit_row(matrix, row, [&](int64_t p, int32_t column) {
      scratch.reach(columns_of(column));
      sums[column] += static_cast<double>(data[p]);
    });
  };
  return add_from(a) && add_from(b);
}

// Whether all rows of a block are as long as those of another matrix, and within both. Such a block's entries
// are one piece of memory in each.
bool has_same_lengths(const int32_t* a, int64_t a_nnz, const int32_t* b, int64_t b_nnz, int64_t rows) {
  bool is_same = 0 <= a[0] && 0 <= b[0] && a[rows] <= a_nnz && b[rows] <= b_nnz;
  for (int64_t i = 0; i < rows; ++i) is_same &= a[i] <= a[i + 1] && a[i + 1] - a[i] == b[i + 1] - b[i];
  return is_same;
}

// Whether the columns of each row of a block ascend, all within a matrix of `cols`: they descend at bounds of
// rows only, which are counted apart, so that columns are gone through without a look at where rows begin.
bool ascend_within(const int32_t* indptr, int64_t rows, const int32_t* columns, int64_t cols) {
  const int64_t first = indptr[0], length = indptr[rows] - first;
  int64_t at_bounds = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t begin = indptr[i] - first, end = indptr[i + 1] - first;
    if (begin == end) continue;
    if (columns[begin] < 0 || columns[end - 1] >= cols) return false;
    if (begin > 0) at_bounds += columns[begin - 1] >= columns[begin];
  }
  int32_t all = 0;
  for (int64_t p = 1; p < length; ++p) all += columns[p - 1] >= columns[p];
  return all == at_bounds;
}

// Whether a block's rows have the same columns in both matrices, ascending and within them: then its entries
// are as many, and each the sum of two that stand in one place.
bool has_same_columns(const CsrMatrix& a, const CsrMatrix& b, int64_t row, int64_t rows) {
  const int32_t *const in_a = a.indptr + row, *const in_b = b.indptr + row;
  if (!has_same_lengths(in_a, a.nnz, in_b, b.nnz, rows)) return false;
  const int64_t length = in_a[rows] - in_a[0];
  if (length == 0) return true;
  const int32_t* const columns = a.indices + in_a[0];
  return std::memcmp(columns, b.indices + in_b[0], static_cast<size_t>(length) * sizeof *columns) == 0 &&
         ascend_within(in_a, rows, columns, a.cols);
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

// body(first row, row behind the last, row of sums) for blocks of rows that together are all, on any threads;
// false when it was false for one.
template <class Body>
bool for_each_block(const CsrMatrix& a, const CsrMatrix& b, bool with_sums, const Body& body) {
  const int64_t chunks = std::min(kChunks, a.rows);
  std::atomic<bool> is_sound{true};
  const double terms = static_cast<double>(a.nnz) + static_cast<double>(b.nnz);
  parallel_for(chunks, kNsPerTerm * terms, [&](int64_t chunk) {
    Row scratch(b.cols, with_sums);
    const int64_t end = (chunk + 1) * a.rows / chunks;
    for (int64_t row = chunk * a.rows / chunks; row < end; row += kBlockRows) {
      if (body(row, std::min(row + kBlockRows, end), scratch)) continue;
      is_sound.store(false, std::memory_order_relaxed);
      return;
    }
  });
  return is_sound.load(std::memory_order_relaxed);
}

// body(row, row of sums) for every row.
template <class Body>
bool for_each_row(const CsrMatrix& a, const CsrMatrix& b, bool with_sums, const Body& body) {
  return for_each_block(a, b, with_sums, [&](int64_t row, int64_t end, Row& scratch) {
    for (; row < end; ++row) {
      if (!body(row, scratch)) return false;
    }
    return true;
  });
}

bool count_product(const CsrMatrix& a, const CsrMatrix& b, int32_t* indptr) {
  GroupedRows b_rows;
  if (!b_rows.read(b)) return false;
  return for_each_row(a, b, false, [&](int64_t row, Row& scratch) {
    const bool is_sound = reach_product(a, b_rows, row, scratch.ready());
    indptr[row + 1] = static_cast<int32_t>(scratch.count());
    return is_sound;
  });
}

template <typename T>
bool count_sum(const CsrMatrix& a, const CsrMatrix& b, int32_t* indptr) {
  return for_each_block(a, b, false, [&](int64_t row, int64_t end, Row& scratch) {
    if (has_same_columns(a, b, row, end - row)) {
      for (; row < end; ++row) indptr[row + 1] = a.indptr[row + 1] - a.indptr[row];
      return true;
    }
    for (; row < end; ++row) {
      int32_t count = 0;
      if (merge_rows<T>(a, b, row, [&](int32_t, double) { ++count; })) {
        indptr[row + 1] = count;
        continue;
      }
      if (!reach_sum(a, b, row, scratch.ready())) return false;
      indptr[row + 1] = static_cast<int32_t>(scratch.count());
    }
    return true;
  });
}

// Where the entries of a row of the result go.
template <typename T>
struct Place {
  int32_t* columns;
  T* data;
  int64_t room;
};

// False where the result's offsets lead outside.
template <typename T>
bool place_of(const CsrParts& c, int64_t row, Place<T>& place) {
  const int64_t begin = c.indptr[row], end = c.indptr[row + 1];
  if (begin < 0 || end < begin || end > c.nnz) return false;
  place = {c.indices + begin, static_cast<T*>(c.data) + begin, end - begin};
  return true;
}

template <typename T>
bool write_product(const CsrMatrix& a, const CsrMatrix& b, const CsrParts& c) {
  GroupedRows b_rows;
  if (!b_rows.read(b)) return false;
  return for_each_row(a, b, true, [&](int64_t row, Row& scratch) {
    Place<T> place;
    return place_of(c, row, place) && sum_product<T>(a, b, b_rows, row, scratch.ready()) &&
           scratch.take(place.room, place.columns, place.data) == place.room;
  });
}

// A block entry by entry, where the columns are the same, ascending and within the matrices. False, after
// some of them, where they are not.
template <typename T>
bool add_entries(const CsrMatrix& a, const CsrMatrix& b, int64_t row, int64_t rows, const CsrParts& c) {
  const int32_t *const in_a = a.indptr + row, *const in_b = b.indptr + row, *const in_c = c.indptr + row;
  if (!has_same_lengths(in_a, a.nnz, in_b, b.nnz, rows) || !has_same_lengths(in_a, a.nnz, in_c, c.nnz, rows))
    return false;
  const int64_t length = in_a[rows] - in_a[0];
  if (length == 0) return true;
  const size_t bytes = static_cast<size_t>(length) * sizeof(int32_t);
  int32_t* const columns = c.indices + in_c[0];
  std::memcpy(columns, a.indices + in_a[0], bytes);
  // Of what was written, which nobody else sees yet.
  if (std::memcmp(columns, b.indices + in_b[0], bytes) != 0 || !ascend_within(in_c, rows, columns, a.cols))
    return false;
  const T* const a_data = static_cast<const T*>(a.data) + in_a[0];
  const T* const b_data = static_cast<const T*>(b.data) + in_b[0];
  T* const data = static_cast<T*>(c.data) + in_c[0];
  // In T: a sum of two floats is rounded once, in double or not.
  for (int64_t i = 0; i < length; ++i) data[i] = a_data[i] + b_data[i];
  return true;
}

template <typename T>
bool write_sum(const CsrMatrix& a, const CsrMatrix& b, const CsrParts& c) {
  const auto write_row = [&](int64_t row, Row& scratch) {
    Place<T> place;
    if (!place_of(c, row, place)) return false;
    int64_t count = 0;
    const bool is_merged = merge_rows<T>(a, b, row, [&](int32_t column, double value) {
      if (count < place.room) {
        place.columns[count] = column;
        place.data[count] = static_cast<T>(value);
      }
      ++count;
    });
    if (is_merged) return count == place.room;
    return sum_rows<T>(a, b, row, scratch.ready()) &&
           scratch.take(place.room, place.columns, place.data) == place.room;
  };
  return for_each_block(a, b, true, [&](int64_t row, int64_t end, Row& scratch) {
    if (add_entries<T>(a, b, row, end - row, c)) return true;
    for (; row < end; ++row) {
      if (!write_row(row, scratch)) return false;
    }
    return true;
  });
}

}  // namespace

bool csr_combined_sizes(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, int32_t* indptr,
                        int64_t* entries) {
  indptr[0] = 0;
  const bool is_sound = dispatch_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    return combination == CsrCombination::sum ? count_sum<T>(a, b, indptr) : count_product(a, b, indptr);
  });
  if (!is_sound) return false;
  *entries = 0;
  for (int64_t row = 0; row < a.rows; ++row) {
    *entries += indptr[row + 1];
    if (*entries <= std::numeric_limits<int32_t>::max()) indptr[row + 1] = static_cast<int32_t>(*entries);
  }
  return true;
}

bool csr_combine(CsrCombination combination, const CsrMatrix& a, const CsrMatrix& b, const CsrParts& c) {
  return dispatch_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    return combination == CsrCombination::sum ? write_sum<T>(a, b, c) : write_product<T>(a, b, c);
  });
}

}  // namespace convmat
