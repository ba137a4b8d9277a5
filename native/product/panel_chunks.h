// How outputs are dealt out to threads where weights lie in panels of neighbouring output channels: in
// chunks, each a block of one image's outputs for some panels. Only for sums that are the same however they
// are cut.
#pragma once

#include <algorithm>
#include <cstdint>

#include "plan/arith.h"
#include "plan/plan.h"
#include "runtime/caches.h"
#include "runtime/context.h"
#include "runtime/thread_pool.h"

namespace convmat {

// Blocks of a plane's outputs, one chunk of work each.
struct OutputBlocks {
  int64_t rows, row_blocks, columns, column_blocks;

  // As many rows, or as large a part of one, as make a chunk of `pixels` and of a frame that fits.
  template <class Fits>
  static OutputBlocks make(const Axis (&axis)[3], int64_t tile, double pixels, Fits&& fits) {
    OutputBlocks blocks;
    int64_t columns = axis[2].out;
    while (columns > tile && (!fits(1, columns) || static_cast<double>(columns) > 2 * pixels)) {
      columns = round_up(columns / 2, tile);
    }
    blocks.columns = std::max<int64_t>(columns, 1);
    blocks.column_blocks = ceil_div(axis[2].out, blocks.columns);
    const double wanted = std::min(pixels / static_cast<double>(blocks.columns), 1e9);
    int64_t rows = std::clamp<int64_t>(static_cast<int64_t>(wanted), 1, std::max<int64_t>(axis[1].out, 1));
    while (rows > 1 && !fits(rows, columns)) --rows;
    blocks.row_blocks = ceil_div(axis[1].out, rows);
    blocks.rows = ceil_div(axis[1].out, std::max<int64_t>(blocks.row_blocks, 1));
    return blocks;
  }
};

// A frame that stays in L2 with the weights that it meets.
constexpr int64_t kChunkFrameBytes = kL2Bytes / 2;

// How long one chunk of work of `cost_ns` should take. What comes out is the same however it is cut: so
// one thread gets chunks as large as a frame, and several get kChunksPerThread each, to end together, but
// none that takes less time than claiming it is worth.
inline double chunk_ns(double cost_ns) {
  constexpr int64_t kChunksPerThread = 4;
  constexpr double kChunkMinNs = 15e3;
  const int threads = cost_ns < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
  return threads == 1 ? cost_ns
                      : std::max(cost_ns / static_cast<double>(kChunksPerThread * threads), kChunkMinNs);
}

// The outputs that are dealt out: of one plane, and of how many images and groups.
struct PanelOutputs {
  const Axis (&axis)[3];
  int64_t batch, groups, panels;
};

struct PanelSharing {
  OutputBlocks blocks;
  int64_t panel_parts;  // panels are dealt out to so many chunks
  double cost_ns;
};

// `pixel_ns`: of all channels of a group. `fits(rows, columns)`: whether the frame of such a block does.
template <class Fits>
PanelSharing share_panels(const PanelOutputs& outputs, double pixel_ns, int64_t tile, Fits&& fits) {
  PanelSharing s;
  const Axis(&axis)[3] = outputs.axis;
  const double images =
      static_cast<double>(outputs.batch) * static_cast<double>(outputs.groups * axis[0].out);
  s.cost_ns = images * static_cast<double>(axis[1].out) * static_cast<double>(axis[2].out) * pixel_ns;
  s.blocks = OutputBlocks::make(axis, tile, chunk_ns(s.cost_ns) / pixel_ns, fits);
  const double chunks = images * static_cast<double>(s.blocks.row_blocks * s.blocks.column_blocks);
  const double wanted = s.cost_ns / chunk_ns(s.cost_ns);
  s.panel_parts = chunks > 0 ? std::clamp<int64_t>(static_cast<int64_t>(wanted / chunks), 1,
                                                   std::max<int64_t>(outputs.panels, 1))
                             : 1;
  return s;
}

// A block of outputs of one image and group, of some panels.
struct PanelChunk {
  int64_t image, group;
  int64_t depth, row, rows, column, columns;
  int64_t first_panel, end_panel;
};

// body(chunk) for each, on the pool's threads.
template <class Body>
void for_each_chunk(const Context& context, const PanelOutputs& outputs, const PanelSharing& s,
                    const Body& body) {
  const Axis(&axis)[3] = outputs.axis;
  const int64_t chunks = outputs.batch * outputs.groups * axis[0].out * s.panel_parts * s.blocks.row_blocks *
                         s.blocks.column_blocks;
  parallel_for(chunks, s.cost_ns, [&](int64_t index) {
    if (context.is_cancelled()) return;
    const auto next = [&index](int64_t count) {
      const int64_t i = index % count;
      index /= count;
      return i;
    };
    PanelChunk chunk;
    const int64_t part = next(s.panel_parts);
    chunk.first_panel = part * outputs.panels / s.panel_parts;
    chunk.end_panel = (part + 1) * outputs.panels / s.panel_parts;
    chunk.column = next(s.blocks.column_blocks) * s.blocks.columns;
    chunk.row = next(s.blocks.row_blocks) * s.blocks.rows;
    chunk.depth = next(axis[0].out);
    chunk.rows = std::min(s.blocks.rows, axis[1].out - chunk.row);
    chunk.columns = std::min(s.blocks.columns, axis[2].out - chunk.column);
    chunk.group = next(outputs.groups);
    chunk.image = index;
    if (chunk.rows > 0 && chunk.columns > 0) body(chunk);
  });
}

}  // namespace convmat
