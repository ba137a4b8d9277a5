// What the two ways of integer convolution share: the plan as they read it, and how outputs are cut into
// chunks.
#pragma once

#include <algorithm>
#include <cstdint>

#include "integer/conv.h"
#include "plan/arith.h"
#include "plan/sizes.h"
#include "runtime/caches.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {

// The part of a plan and its operands that both ways need.
struct IntegerProblem {
  IntegerProblem(const Context& context, const IntegerConvPlan& given, bool has_multipliers)
      : kernels(context.kernels),
        plan(given),
        channels(given.conv.in_channels / given.conv.groups),
        out_channels(given.conv.out_channels / given.conv.groups),
        taps(taps_of(given.conv)),
        scaled(has_multipliers) {
    std::copy(plan.conv.axis, plan.conv.axis + 3, axis);
    merge_axes(axis);
    const bool is_signed = plan.output_dtype == DType::i8;
    zero_point = plan.output_zero_point + (is_signed ? 128 : 0);
    flip = is_signed ? static_cast<int32_t>(0x80808080u) : 0;
  }

  int64_t in_plane() const { return axis[0].in * axis[1].in * axis[2].in; }
  int64_t out_plane() const { return axis[0].out * axis[1].out * axis[2].out; }
  void* output_at(void* output, int64_t element) const {
    return static_cast<uint8_t*>(output) + element * (scaled ? 1 : static_cast<int64_t>(sizeof(int32_t)));
  }

  const KernelTable* kernels;
  IntegerConvPlan plan;
  int64_t channels, out_channels, taps;  // of a group
  bool scaled;
  int32_t zero_point, flip;  // of the output, as kernels take them
  Axis axis[3];
};

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
constexpr int64_t kIntegerFrameBytes = kL2Bytes / 2;

// How long one chunk of work of `cost_ns` should take. Sums of integers are the same however they are cut: so
// one thread gets chunks as large as a frame, and several get kChunksPerThread each, to end together, but
// none that takes less time than claiming it is worth.
inline double integer_chunk_ns(double cost_ns) {
  constexpr int64_t kChunksPerThread = 4;
  constexpr double kChunkMinNs = 15e3;
  const int threads = cost_ns < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
  return threads == 1 ? cost_ns
                      : std::max(cost_ns / static_cast<double>(kChunksPerThread * threads), kChunkMinNs);
}

}  // namespace convmat
