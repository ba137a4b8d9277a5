// How a product over a batch of images is shared out. Only speed depends on it: see LoweredProduct::run.
#pragma once

#include <algorithm>
#include <cstdint>

#include "plan/arith.h"
#include "product/lowered_product.h"
#include "runtime/thread_pool.h"

namespace convmat {

// Tasks are (image, chunk of columns, chunk of row panels), the last varying fastest.
class Partition {
 public:
  struct Task {
    int64_t image;
    int64_t column, column_end;
    int64_t panel, panel_end;
  };

  // `images` products alike: batch times groups.
  template <typename T>
  Partition(const LoweredProduct<T>& product, int64_t images)
      : images_(images), columns_(product.lowering.outputs()), panels_(product.panels.count) {
    const GemmBlocking& blocking = product.kernels.gemm_blocking;
    const int64_t width = product.panel_columns();
    cost_ns_ = static_cast<double>(images) * static_cast<double>(product.panels.rows) *
               static_cast<double>(columns_) * static_cast<double>(product.lowering.rows()) /
               blocking.fma_per_ns;
    const int threads = cost_ns_ < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
    const int64_t wanted = threads == 1 ? 1 : kTasksPerThread * threads;

    const int64_t column_panels = std::max<int64_t>(1, ceil_div(columns_, width));
    const int64_t c_row_bytes = product.panels.rows * static_cast<int64_t>(sizeof(T));
    const int64_t chunk_panels = std::clamp<int64_t>(
        blocking.c_bytes / (c_row_bytes * width), kLeastPanelsPerChunk, column_panels + kLeastPanelsPerChunk);
    const int64_t chunks =
        std::max(ceil_div(column_panels, chunk_panels), ceil_div(wanted, std::max<int64_t>(1, images)));
    chunk_columns_ = ceil_div(column_panels, std::min(chunks, column_panels)) * width;
    column_chunks_ = std::max<int64_t>(1, ceil_div(columns_, chunk_columns_));

    // Each chunk of rows packs its own B, so rows are split only where columns do not give work for
    // everybody.
    const int64_t tasks = std::max<int64_t>(1, images * column_chunks_);
    const int64_t row_chunks = tasks >= 2 * threads ? 1 : std::min(panels_, ceil_div(wanted, tasks));
    chunk_panels_ = ceil_div(panels_, row_chunks);
    row_chunks_ = ceil_div(panels_, chunk_panels_);
  }

  int64_t count() const { return images_ * column_chunks_ * row_chunks_; }
  double cost_ns() const { return cost_ns_; }
  int64_t chunk_columns() const { return chunk_columns_; }
  int64_t chunk_panels() const { return chunk_panels_; }

  Task operator[](int64_t index) const {
    const int64_t row_chunk = index % row_chunks_;
    const int64_t column_chunk = index / row_chunks_ % column_chunks_;
    const int64_t column = column_chunk * chunk_columns_, panel = row_chunk * chunk_panels_;
    return {index / row_chunks_ / column_chunks_, column, std::min(columns_, column + chunk_columns_), panel,
            std::min(panels_, panel + chunk_panels_)};
  }

 private:
  // Enough for the last ones to even out; few enough that a task's panels of A and B pay for their loading.
  static constexpr int64_t kTasksPerThread = 4;
  static constexpr int64_t kLeastPanelsPerChunk = 4;

  int64_t images_, columns_, panels_;
  int64_t chunk_columns_, column_chunks_, chunk_panels_, row_chunks_;
  double cost_ns_;
};

}  // namespace convmat
