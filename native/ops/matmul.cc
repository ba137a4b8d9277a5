// Plain matrix products, on the kernels of convolution. A is packed a chunk of rows at a time, and B panel by
// panel.
#include "ops/matmul.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "plan/arith.h"
#include "product/lowered_product.h"
#include "product/partition.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// Of packed A: half of an arena.
constexpr int64_t kPackedRowsBytes = static_cast<int64_t>(kArenaBytes) / 2;

int64_t chunk_rows(int64_t m, int64_t k, int64_t mr, int64_t element_bytes) {
  const int64_t rows = kPackedRowsBytes / std::max<int64_t>(1, k * element_bytes) / mr * mr;
  return std::clamp(rows, std::min(m, mr), m);
}

// B's rows stand in for an image whose channels they are.
template <typename T>
void float_matmul(const Context& context, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c) {
  constexpr T inf = std::numeric_limits<T>::infinity();
  const Kernels<T>& kernels = context.kernels->of<T>();
  constexpr LoweredAxis one{1, 1, 1, 1, 1, 0};
  const Lowering columns{{one, one, {n, n, 1, 1, 1, 0}}, PaddingMode::zeros, k, n};
  const int64_t chunk = chunk_rows(m, k, kernels.gemm_blocking.mr, sizeof(T));
  ArenaFrame frame;
  T* const packed = frame.take<T>(chunk * k + static_cast<int64_t>(kSlackBytes / sizeof(T)));

  for (int64_t row = 0; row < m; row += chunk) {
    const RowPanels panels(std::min(chunk, m - row), kernels.gemm_blocking.mr);
    pack_row_panels(kernels, panels, k, a + row * k, k, packed);
    const LoweredProduct<T> product{kernels, columns, panels, packed, nullptr, -inf, inf};
    const Partition partition(product, 1);
    parallel_for(partition.count(), partition.cost_ns(), [&](int64_t index) {
      const Partition::Task task = partition[index];
      T* const out = c + (row + panels.first(task.panel)) * n + task.column;
      product.run(b, out, n, task.panel, task.panel_end, task.column, task.column_end, context.cancelled);
    });
  }
}

// Panels of a packed matrix that a task multiplies by.
constexpr int64_t kPanelsPerTask = 4;

int32_t pair_of(int32_t even, int32_t odd) {
  return static_cast<int32_t>((static_cast<uint32_t>(even) & 0xffffu) | static_cast<uint32_t>(odd) << 16);
}

// to[panel][pair][height] <-- a[rows][k]
template <typename A>
void pack_pair_rows(const RowPanels& panels, int64_t k, const A* a, int32_t* to) {
  for (int64_t p = 0; p < panels.count; ++p) {
    const int height = panels.height_of(p);
    const A* const first = a + panels.first(p) * k;
    for (int64_t i = 0; i < k; i += 2) {
      for (int r = 0; r < height; ++r) {
        const A* const at = first + r * k + i;
        *to++ = pair_of(at[0], i + 1 < k ? at[1] : 0);
      }
    }
  }
}

// to[pair][width] <-- b[k][columns], zeros beyond.
template <typename B>
void pack_pair_columns(int64_t k, const B* b, int64_t ld, int64_t columns, int64_t width, int32_t* to) {
  for (int64_t i = 0; i < k; i += 2, to += width) {
    const B* const even = b + i * ld;
    if (i + 1 < k) {
      const B* const odd = even + ld;
      for (int64_t j = 0; j < columns; ++j) to[j] = pair_of(even[j], odd[j]);
    } else {
      for (int64_t j = 0; j < columns; ++j) to[j] = pair_of(even[j], 0);
    }
    for (int64_t j = columns; j < width; ++j) to[j] = 0;
  }
}

template <typename A, typename B>
void int_matmul(const Context& context, int64_t m, int64_t n, int64_t k, const A* a, const B* b, int32_t* c) {
  const GemmBlocking& blocking = context.kernels->f32.gemm_blocking;
  const int64_t pairs = (k + 1) / 2, block = std::max<int64_t>(1, std::min<int64_t>(pairs, blocking.kc));
  const int64_t chunk = chunk_rows(m, pairs, blocking.mr, sizeof(int32_t));
  ArenaFrame frame;
  int32_t* const packed = frame.take<int32_t>(chunk * pairs);
  if (k == 0) std::fill_n(c, m * n, 0);

  for (int64_t row = 0; row < m; row += chunk) {
    const RowPanels panels(std::min(chunk, m - row), blocking.mr);
    const int64_t width = panels.rows <= blocking.wide_mr ? blocking.wide_nr : blocking.nr;
    pack_pair_rows(panels, k, a + row * k, packed);
    // A multiply-add of pairs takes as long as one of floats.
    const double cost_ns =
        static_cast<double>(panels.rows * n) * static_cast<double>(pairs) / blocking.fma_per_ns;
    parallel_for(ceil_div(n, width), cost_ns, [&](int64_t index) {
      const int64_t column = index * width;
      ArenaFrame task_frame;
      int32_t* const panel = task_frame.take<int32_t>(block * width);
      PairGemmTile tile{0, nullptr, panel, width, nullptr, n, std::min(width, n - column), false};
      for (int64_t pair = 0; pair < pairs; pair += block) {
        if (context.is_cancelled()) return;
        tile.pairs = std::min(block, pairs - pair);
        tile.accumulate = pair > 0;
        pack_pair_columns(std::min(2 * tile.pairs, k - 2 * pair), b + 2 * pair * n + column, n, tile.n, width,
                          panel);
        for (int64_t p = 0; p < panels.count; ++p) {
          const int height = panels.height_of(p);
          tile.a = packed + panels.first(p) * pairs + pair * height;
          tile.c = c + (row + panels.first(p)) * n + column;
          context.kernels->integer.pair_gemm(height, tile);
        }
      }
    });
  }
}

}  // namespace

PackedMatrix::PackedMatrix(const Kernels<float>& kernels, int64_t k, int64_t n, const float* b)
    : k_(k), n_(n), width_(kernels.gemm_blocking.nr), panels_(ceil_div(n, width_) * width_ * k) {
  float* to = panels_.data();
  for (int64_t column = 0; column < n; column += width_) {
    const int64_t count = std::min(width_, n - column);
    for (int64_t i = 0; i < k; ++i, to += width_) {
      std::copy_n(b + i * n + column, count, to);
      std::fill_n(to + count, width_ - count, 0.0f);
    }
  }
}

void PackedMatrix::multiply(const Context& context, int64_t m, const float* a, float* c) const {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const Kernels<float>& kernels = context.kernels->f32;
  const GemmBlocking& blocking = kernels.gemm_blocking;
  const int64_t chunk = chunk_rows(m, k_, blocking.mr, sizeof(float));
  const int64_t panels = ceil_div(n_, width_), tasks = ceil_div(panels, kPanelsPerTask);
  ArenaFrame frame;
  auto* const packed = frame.take<float>(chunk * k_ + static_cast<int64_t>(kSlackBytes / sizeof(float)));
  for (int64_t row = 0; row < m; row += chunk) {
    const RowPanels rows(std::min(chunk, m - row), blocking.mr);
    pack_row_panels(kernels, rows, k_, a + row * k_, k_, packed);
    const double cost_ns =
        static_cast<double>(rows.rows * n_) * static_cast<double>(k_) / blocking.fma_per_ns;
    parallel_for(tasks, cost_ns, [&](int64_t task) {
      for (int64_t panel = task * kPanelsPerTask; panel < std::min(panels, (task + 1) * kPanelsPerTask);
           ++panel) {
        if (context.is_cancelled()) return;
        GemmTile<float> tile = {};
        tile.ldb = width_;
        tile.ldc = n_;
        tile.n = std::min(width_, n_ - panel * width_);
        tile.lo = -inf;
        tile.hi = inf;
        for (int64_t first = 0; first < k_; first += blocking.kc) {
          tile.k = std::min<int64_t>(blocking.kc, k_ - first);
          tile.accumulate = first > 0;
          tile.b = panels_.data() + (panel * k_ + first) * width_;
          for (int64_t p = 0; p < rows.count; ++p) {
            const int height = rows.height_of(p);
            tile.a = packed + rows.first(p) * k_ + first * height;
            tile.c = c + (row + rows.first(p)) * n_ + panel * width_;
            kernels.gemm(height, tile);
          }
        }
      }
    });
  }
}

void matmul(const Context& context, DType a_dtype, DType b_dtype, int64_t m, int64_t n, int64_t k,
            const void* a, const void* b, void* c) {
  if (m == 0 || n == 0) return;
  if (k == 0) {  // sums of nothing, from arrays that may be null
    std::memset(c, 0, static_cast<size_t>(m * n) * (a_dtype == DType::f64 ? sizeof(double) : sizeof(float)));
    return;
  }
  if (a_dtype == DType::f64) {
    return float_matmul(context, m, n, k, static_cast<const double*>(a), static_cast<const double*>(b),
                        static_cast<double*>(c));
  }
  if (a_dtype == DType::f32) {
    return float_matmul(context, m, n, k, static_cast<const float*>(a), static_cast<const float*>(b),
                        static_cast<float*>(c));
  }
  const auto with_a = [&](auto* a_typed) {
    if (b_dtype == DType::i8) {
      int_matmul(context, m, n, k, a_typed, static_cast<const int8_t*>(b), static_cast<int32_t*>(c));
    } else {
      int_matmul(context, m, n, k, a_typed, static_cast<const uint8_t*>(b), static_cast<int32_t*>(c));
    }
  };
  if (a_dtype == DType::i8) {
    with_a(static_cast<const int8_t*>(a));
  } else {
    with_a(static_cast<const uint8_t*>(a));
  }
}

}  // namespace convmat
