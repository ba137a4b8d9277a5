#include "core/lowered_product.h"

#include <limits>

#include "core/aligned.h"

namespace convmat {

template <typename T>
void LoweredProduct<T>::run(const T* image, T* out, int64_t ld_out, int64_t panel, int64_t panel_end,
                            int64_t column, int64_t column_end, const std::atomic<bool>* cancelled) const {
  constexpr T inf = std::numeric_limits<T>::infinity();
  const RowBlocks blocks(lowering, kernels.blocking.kc);
  const int64_t width = panel_columns();
  const bool in_place = lowering.is_image();

  ArenaFrame frame;
  T* b_panel = nullptr;
  if (!in_place)
    b_panel = frame.take<T>(blocks.max_rows() * width + static_cast<int64_t>(kSlackBytes / sizeof(T)));
  PanelSegments segments(frame, lowering, in_place ? 0 : blocks.block_taps, in_place ? 0 : width);

  // For each block of rows, A's share of them stays in L2 while all panels of B pass.
  for (int64_t index = 0; index < blocks.count(); ++index) {
    const RowBlocks::Block block = blocks[index];
    const bool is_first = index == 0, is_last = index + 1 == blocks.count();
    const T* const block_image = image + block.channel * lowering.channel_stride;
    const int64_t first_row = block.channel * blocks.taps + block.tap;
    GemmTile<T> tile;
    tile.k = block.rows();
    tile.ldc = ld_out;
    tile.accumulate = !is_first;
    tile.lo = is_last ? lo : -inf;
    tile.hi = is_last ? hi : inf;

    for (int64_t j = column; j < column_end; j += width) {
      if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) return;
      tile.n = std::min(width, column_end - j);
      if (in_place) {
        tile.b = block_image + j;
        tile.ldb = lowering.channel_stride;
      } else {
        segments.describe(j, tile.n, block.tap, block.taps);
        kernels.im2col({block_image, block.channels, lowering.channel_stride, block.taps,
                        segments.tap_begin(), segments.segments(), lowering.axis[2].step, b_panel, width});
        tile.b = b_panel;
        tile.ldb = width;
      }
      for (int64_t p = panel; p < panel_end; ++p) {
        const int64_t row = panels.first(p);
        const int height = panels.height_of(p);
        tile.a = weights + row * lowering.rows() + first_row * height;
        tile.bias = is_first && bias != nullptr ? bias + row : nullptr;
        tile.c = out + (row - panels.first(panel)) * ld_out + (j - column);
        kernels.gemm(height, tile);
      }
    }
  }
}

template struct LoweredProduct<float>;
template struct LoweredProduct<double>;

}  // namespace convmat
