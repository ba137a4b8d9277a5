// Products with matrices in compressed sparse rows. JavaScript can write into the arrays of a matrix after
// they were checked, so every product checks, block by block, that no column leads outside: what is read for
// that is still in L1 when it is multiplied.
#include "ops/csr.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "plan/dispatch.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// Entries that are checked before they are multiplied: 8 KiB of columns. The kernels fetch as many ahead.
constexpr int64_t kCheckedEntries = 2048;
// Entries of a chunk of work: about 20 us.
constexpr int64_t kChunkEntries = 1 << 16;
// Of a core out of cache.
constexpr double kNsPerEntry = 0.3;

template <typename T>
class CsrProduct {
 public:
  CsrProduct(const Context& context, const CsrMatrix& matrix)
      : kernels_(context.kernels->of<T>()),
        within_(context.kernels->integer.csr_within),
        matrix_(matrix),
        cols_(static_cast<int32_t>(std::min<int64_t>(matrix.cols, std::numeric_limits<int32_t>::max()))),
        data_(static_cast<const T*>(matrix.data)) {}

  bool matvec(const T* x, T* y) const {
    return by_rows(1,
                   [&](const CsrRows<T>& rows, int64_t first) { kernels_.csr_matvec(rows, x, y + first); });
  }

  bool matmat(const T* x, int64_t columns, T* y) const {
    return by_rows(columns, [&](const CsrRows<T>& rows, int64_t first) {
      kernels_.csr_matmat(rows, x, columns, y + first * columns);
    });
  }

  bool rmatvec(const T* y, T* x, bool adds) const {
    if (!adds) std::fill_n(x, matrix_.cols, T{0});  // no memset: of no columns, x may be null
    return in_blocks(0, matrix_.rows, [&](const CsrRows<T>& rows, int64_t first) {
      kernels_.csr_rmatvec(rows, y + first, x);
    });
  }

 private:
  template <class Body>
  bool by_rows(int64_t columns, const Body& body) const {
    const int64_t chunks =
        std::clamp<int64_t>(matrix_.nnz * columns / kChunkEntries, 1, std::max<int64_t>(1, matrix_.rows));
    std::atomic<bool> fine{true};
    parallel_for(chunks, kNsPerEntry * static_cast<double>(matrix_.nnz) * static_cast<double>(columns),
                 [&](int64_t chunk) {
                   const int64_t first = chunk * matrix_.rows / chunks,
                                 end = (chunk + 1) * matrix_.rows / chunks;
                   if (!in_blocks(first, end, body)) fine.store(false, std::memory_order_relaxed);
                 });
    return fine.load(std::memory_order_relaxed);
  }

  // body(rows, first row) for blocks of rows whose offsets and columns are sound; false at the first that is
  // not.
  template <class Body>
  bool in_blocks(int64_t begin, int64_t end, const Body& body) const {
    const int32_t* const indptr = matrix_.indptr;
    for (int64_t first = begin; first < end;) {
      const int64_t start = indptr[first];
      int64_t last = first;
      int64_t reached = start;
      if (start < 0) return false;
      while (last < end && (last == first || reached - start < kCheckedEntries)) {
        if (indptr[last + 1] < reached) return false;
        reached = indptr[++last];
      }
      if (reached > matrix_.nnz) return false;
      if (!within_(matrix_.indices + start, reached - start, cols_)) return false;
      body(CsrRows<T>{last - first, indptr + first, matrix_.indices, data_}, first);
      first = last;
    }
    return true;
  }

  const Kernels<T>& kernels_;
  CsrWithinFn* const within_;
  const CsrMatrix& matrix_;
  int32_t cols_;
  const T* data_;
};

}  // namespace

bool csr_matvec(const Context& context, const CsrMatrix& matrix, const void* x, void* y) {
  return dispatch_float(matrix.dtype, [&](auto zero) {
    using T = decltype(zero);
    return CsrProduct<T>(context, matrix).matvec(static_cast<const T*>(x), static_cast<T*>(y));
  });
}

bool csr_rmatvec(const Context& context, const CsrMatrix& matrix, const void* y, void* x, bool adds) {
  return dispatch_float(matrix.dtype, [&](auto zero) {
    using T = decltype(zero);
    return CsrProduct<T>(context, matrix).rmatvec(static_cast<const T*>(y), static_cast<T*>(x), adds);
  });
}

bool csr_matmat(const Context& context, const CsrMatrix& matrix, int64_t columns, const void* x, void* y) {
  return dispatch_float(matrix.dtype, [&](auto zero) {
    using T = decltype(zero);
    return CsrProduct<T>(context, matrix).matmat(static_cast<const T*>(x), columns, static_cast<T*>(y));
  });
}

}  // namespace convmat
