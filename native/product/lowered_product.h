// out[m][outputs] = weights[m][rows] * lowered image, + bias, clamped: GEMM whose B is packed, a panel at a
// time, straight from the image, or read where it stands.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "geometry/lowering.h"
#include "plan/arith.h"
#include "table/table.h"

namespace convmat {

// m rows of A in panels of nearly equal height, each packed as [k][height]: 16 rows go as 8 + 8 rather than
// 14 + 2, since the kernels need many accumulators to keep the multipliers busy.
struct RowPanels {
  RowPanels(int64_t m, int max_height)
      : rows(m),
        count(std::max<int64_t>(1, ceil_div(m, max_height))),
        height(std::max<int64_t>(1, ceil_div(m, count))) {
    count = ceil_div(m, height);
  }
  int64_t first(int64_t panel) const { return panel * height; }
  int height_of(int64_t panel) const { return static_cast<int>(std::min(height, rows - first(panel))); }

  int64_t rows, count, height;
};

// from: [rows][k] with rows ld_from apart. `to` takes rows * k elements and kSlackBytes.
template <typename T>
void pack_row_panels(const Kernels<T>& kernels, const RowPanels& panels, int64_t k, const T* from,
                     int64_t ld_from, T* to) {
  for (int64_t p = 0; p < panels.count; ++p) {
    const int64_t first = panels.first(p);
    const int height = panels.height_of(p);
    kernels.transpose(height, k, from + first * ld_from, ld_from, to + first * k, height);
  }
}

class Epilogue;

template <typename T>
struct LoweredProduct {
  const Kernels<T>& kernels;
  Lowering lowering;
  RowPanels panels;
  const T* weights;  // packed by `panels`, k = lowering.rows()
  const T* bias;     // [panels.rows] or null
  T lo, hi;
  const Epilogue* epilogue = nullptr;  // finishes what is written for the last time

  // Columns of B per panel: few rows of A go with wider panels.
  int panel_columns() const {
    return panels.rows <= kernels.gemm_blocking.wide_mr ? kernels.gemm_blocking.wide_nr
                                                        : kernels.gemm_blocking.nr;
  }

  // Row panels [panel, panel_end) of columns [column, column_end); `out` is where the first of these rows has
  // the first of these columns. Every element is summed in an order that depends on nothing but the shapes,
  // so any division into calls gives the same bits.
  void run(const T* image, T* out, int64_t ld_out, int64_t panel, int64_t panel_end, int64_t column,
           int64_t column_end, const std::atomic<bool>* cancelled) const;
};

}  // namespace convmat
