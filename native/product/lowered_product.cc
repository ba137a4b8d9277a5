#include "product/lowered_product.h"

#include <limits>

#include "plan/arith.h"
#include "runtime/aligned.h"
#include "runtime/context.h"
#include "runtime/epilogue.h"
#include "runtime/tuning.h"

namespace convmat {
namespace {

// Rows of B this far apart fall on so few sets of the caches that they evict one another before the next
// panel of A reads them again: 8 ways of 32 KiB repeat every 4 KiB. Packing costs less.
bool aliases(int64_t row_stride_bytes) { return row_stride_bytes % 1024 == 0; }

}  // namespace

template <typename T>
void LoweredProduct<T>::run(const T* image, T* out, int64_t ld_out, int64_t panel, int64_t panel_end,
                            int64_t column, int64_t column_end, const std::atomic<bool>* cancelled) const {
  constexpr T inf = std::numeric_limits<T>::infinity();
  const RowBlocks blocks(lowering, kernels.gemm_blocking.kc);
  const int64_t width = panel_columns();
  const bool in_place = lowering.is_image() && panel_end - panel <= tuning::kInPlacePasses &&
                        !aliases(lowering.channel_stride * static_cast<int64_t>(sizeof(T)));
  const int64_t panel_bytes =
      std::max<int64_t>(1, blocks.max_rows()) * width * static_cast<int64_t>(sizeof(T));
  const int64_t group_columns = width * std::clamp<int64_t>(kernels.gemm_blocking.b_bytes / panel_bytes, 1,
                                                            ceil_div(column_end - column, width));

  ArenaFrame frame;
  T* b_panels = nullptr;
  if (!in_place) {
    b_panels =
        frame.take<T>(blocks.max_rows() * group_columns + static_cast<int64_t>(kSlackBytes / sizeof(T)));
  }
  PanelSegments segments(frame, lowering, in_place ? 0 : blocks.block_taps, in_place ? 0 : width);

  for (int64_t index = 0; index < blocks.count(); ++index) {
    const RowBlocks::Block block = blocks[index];
    const bool is_first = index == 0, is_last = index + 1 == blocks.count();
    const T* const block_image = image + block.channel * lowering.channel_stride;
    const int64_t first_row = block.channel * blocks.taps + block.tap;
    GemmTile<T> tile;
    tile.k = block.rows();
    tile.ldb = in_place ? lowering.channel_stride : width;
    tile.ldc = ld_out;
    tile.accumulate = !is_first;
    tile.lo = is_last ? lo : -inf;
    tile.hi = is_last ? hi : inf;

    // A group of B's panels stays in L2 while A streams by once: a panel of A stays in L1 for the whole
    // group.
    for (int64_t group = column; group < column_end; group += group_columns) {
      if (is_cancelled(cancelled)) return;
      const int64_t group_end = std::min(column_end, group + group_columns);
      for (int64_t j = group; j < group_end && !in_place; j += width) {
        segments.describe(j, std::min(width, group_end - j), block.tap, block.taps);
        kernels.im2col({block_image, block.channels, lowering.channel_stride, block.taps,
                        segments.tap_begin(), segments.segments(), lowering.axis[2].step,
                        b_panels + (j - group) * tile.k, width});
      }
      for (int64_t p = panel; p < panel_end; ++p) {
        const int64_t row = panels.first(p);
        const int height = panels.height_of(p);
        tile.a = weights + row * lowering.rows() + first_row * height;
        tile.bias = is_first && bias != nullptr ? bias + row : nullptr;
        for (int64_t j = group; j < group_end; j += width) {
          tile.n = std::min(width, group_end - j);
          tile.b = in_place ? block_image + j : b_panels + (j - group) * tile.k;
          tile.c = out + (row - panels.first(panel)) * ld_out + (j - column);
          kernels.gemm(height, tile);
        }
        if (is_last && epilogue != nullptr) {
          T* const done = out + (row - panels.first(panel)) * ld_out + (group - column);
          epilogue->run(done, height, ld_out, group_end - group);
        }
      }
    }
  }
}

template struct LoweredProduct<float>;
template struct LoweredProduct<double>;

}  // namespace convmat
