// Convolution by the direct kernels: output channels on the lanes, pixels read from the image or from a
// padded copy of the rows at hand. Every geometry of the forward convolution, f32 and f64.
#include <algorithm>
#include <utility>

#include "conv/algorithm.h"
#include "conv/blocked.h"
#include "geometry/view.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "plan/sizes.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/epilogue.h"
#include "runtime/thread_pool.h"
#include "runtime/tuning.h"

namespace convmat {
namespace {

// Of a panel of weights, or one block of its channels, that meets a chunk's input in L2; and of sums, while
// the blocks of a large panel pass by.
constexpr int64_t kPanelBytes = kL2Bytes / 4, kBandBytes = kL2Bytes / 16;

// Of a result that may still be in a cache. Beyond, asking for the lines of a run's channels before they are
// written makes 1x1 4->512 on 36x36x36 take 24 ms instead of 43 (Xeon of the Sapphire Rapids kind); within,
// 1x1 64->256 on 56x56 takes 1.08 times as long.
constexpr int64_t kCachedResultBytes = kL3Bytes;

// Chunks take at least 15 us, so that claiming one costs nothing, and at most 1 ms, so that a call can be
// cancelled; enough of them for threads to end together.
constexpr double kChunkMinNs = 15e3, kChunkMaxNs = 1e6;
constexpr int64_t kChunksPerThread = 4;

// Lists of taps that are kept: rows near the image's borders have others than those between.
constexpr int kTapLists = 4;

// Output channels of a group in panels of the kernel's vectors. What is left over goes in halves of that: the
// kernels take powers of two.
struct ChannelPanels {
  int64_t channels;  // of a group
  int64_t lanes, vectors;

  int64_t padded() const { return all() * lanes; }
  int64_t count() const { return whole() + (left() >> 1) + (left() & 1); }
  int64_t vectors_of(int64_t panel) const {
    return panel < whole() ? vectors : panel == whole() ? (left() > 1 ? 2 : 1) : 1;
  }
  int64_t first_of(int64_t panel) const { return (panel <= whole() ? panel * vectors : all() - 1) * lanes; }

 private:
  int64_t all() const { return ceil_div(channels, lanes); }
  int64_t whole() const { return all() / vectors; }
  int64_t left() const { return all() % vectors; }  // 0 .. 3
};

template <typename T>
ChannelPanels panels_of(const Kernels<T>& kernels, const ConvPlan& plan) {
  return {plan.out_channels / plan.groups, kernels.direct_blocking.lanes, kernels.direct_blocking.vectors};
}

// What the kernels read beside the image.
template <typename T>
struct DirectWeights {
  AlignedArray<T> weights;  // [group][panel][channel][tap][lane]
  AlignedArray<T> bias;     // [group][panel][lane]
  T lo, hi;
};

template <typename T>
DirectWeights<T> pack(const Kernels<T>& kernels, const ConvPlan& plan, const T* weight, const T* bias,
                      double lo, double hi) {
  const ChannelPanels panels = panels_of(kernels, plan);
  const int64_t products = plan.in_channels / plan.groups * taps_of(plan);
  const int64_t lanes = plan.groups * panels.padded();
  DirectWeights<T> packed = {AlignedArray<T>(lanes * products), AlignedArray<T>(lanes), static_cast<T>(lo),
                             static_cast<T>(hi)};
  T* w = packed.weights.data();
  T* b = packed.bias.data();
  for (int64_t g = 0; g < plan.groups; ++g) {
    for (int64_t panel = 0; panel < panels.count(); ++panel) {
      const int64_t first = panels.first_of(panel);
      const int64_t width = panels.vectors_of(panel) * panels.lanes;
      const int64_t used = std::min(width, panels.channels - first);
      const T* const from = weight + (g * panels.channels + first) * products;
      for (int64_t i = 0; i < products; ++i) {
        for (int64_t lane = 0; lane < width; ++lane) *w++ = lane < used ? from[lane * products + i] : T{0};
      }
      for (int64_t lane = 0; lane < width; ++lane) {
        *b++ = bias != nullptr && lane < used ? bias[g * panels.channels + first + lane] : T{0};
      }
    }
  }
  return packed;
}

// How the outputs are shared out. Only speed depends on it: every output is summed on its own.
struct Sharing {
  int64_t rows, row_blocks;        // of outputs, per chunk and per depth
  int64_t columns, column_blocks;  // likewise, per row
  int64_t panel_parts;             // panels are dealt out to so many chunks
  double cost_ns;
};

template <typename T>
class DirectRun {
 public:
  DirectRun(const Context& context, const ConvPlan& plan, const DirectWeights<T>& packed, const T* x, T* y)
      : context_(context),
        kernels_(context.kernels->of<T>()),
        plan_(plan),
        packed_(packed),
        x_(x),
        y_(y),
        panels_(panels_of(kernels_, plan)),
        channels_(plan.in_channels / plan.groups),
        taps_(taps_of(plan)) {
    std::copy(plan.axis, plan.axis + 3, axis_);
    merge_axes(axis_);
    const int64_t blocks = ceil_div(channels_ * taps_, std::max(tuning::kDirectBlockTaps, taps_));
    block_channels_ = ceil_div(channels_, std::min(blocks, channels_));
    streams_ = packed.weights.size() * static_cast<int64_t>(sizeof(T)) > tuning::kDirectInputBytes;
    is_far_ = plan.batch * plan.out_channels * axis_[0].out * axis_[1].out * axis_[2].out *
                  static_cast<int64_t>(sizeof(T)) >
              kCachedResultBytes;
    share();
  }

  void run() const {
    const int64_t chunks = plan_.batch * plan_.groups * axis_[0].out * sharing_.panel_parts *
                           sharing_.row_blocks * sharing_.column_blocks;
    parallel_for(chunks, sharing_.cost_ns, [this](int64_t i) {
      if (!context_.is_cancelled()) run_chunk(i);
    });
  }

 private:
  // Whether the input of so many rows and columns of outputs stays in cache.
  bool fits(int64_t rows, int64_t columns) const {
    const int64_t elements = reads_in_place(plan_.padding_mode, axis_)
                                 ? channels_ * axis_[0].kernel *
                                       std::min(axis_[1].in, (rows - 1) * axis_[1].stride + axis_[1].kernel) *
                                       std::min(axis_[2].in, columns + axis_[2].kernel)
                                 : frame_elements(axis_, channels_, rows, columns, 1);
    const int64_t weights = panels_.padded() * channels_ * taps_;
    const int64_t size = static_cast<int64_t>(sizeof(T));
    return elements * size <= (weights * size <= tuning::kDirectInputBytes ? tuning::kDirectNearInputBytes
                                                                           : tuning::kDirectInputBytes);
  }

  // Every chunk reads its input once per part of the panels, and its panels once: the fewer chunks, the less
  // is read. Where threads need more, those that read least are made smaller: of pixels where the input is
  // large, of panels where the weights are.
  void share() {
    const Axis &height = axis_[1], &width = axis_[2];
    const int64_t tile = kernels_.direct_blocking.max_pixels(static_cast<int32_t>(panels_.vectors_of(0)));
    int64_t columns = width.out, rows = height.out;
    while (columns > tile && !fits(1, columns)) columns = round_up(ceil_div(columns, 2), tile);
    while (rows > 1 && !fits(rows, columns)) rows = ceil_div(rows, 2);

    const double images = static_cast<double>(plan_.batch) * plan_.groups * axis_[0].out;
    const double macs_per_pixel = static_cast<double>(panels_.padded()) * channels_ * taps_;
    sharing_.cost_ns = images * height.out * width.out * macs_per_pixel / kernels_.gemm_blocking.fma_per_ns;
    const int threads = sharing_.cost_ns < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
    const double least =
        threads == 1 ? 1 : std::min(kChunksPerThread * threads + 0.0, sharing_.cost_ns / kChunkMinNs);
    const double wanted = std::max(least, sharing_.cost_ns / kChunkMaxNs) / images;

    const double weights = static_cast<double>(panels_.padded()) * channels_ * taps_;
    const double input = static_cast<double>(channels_) * axis_[0].kernel * height.in * width.in;
    int64_t parts = 1;
    const auto chunks = [&] {
      return static_cast<double>(ceil_div(height.out, rows) * ceil_div(width.out, columns) * parts);
    };
    while (chunks() < wanted) {
      const bool by_panels = parts < panels_.count() && (weights > input || (rows == 1 && columns <= tile));
      if (by_panels) {
        ++parts;
      } else if (rows > 1) {
        rows = ceil_div(rows, 2);
      } else if (columns > tile) {
        columns = round_up(ceil_div(columns, 2), tile);
      } else {
        break;
      }
    }
    sharing_.row_blocks = ceil_div(height.out, rows);
    sharing_.rows = ceil_div(height.out, sharing_.row_blocks);
    sharing_.column_blocks = ceil_div(width.out, columns);
    sharing_.columns = columns;
    sharing_.panel_parts = parts;
  }

  void run_chunk(int64_t index) const {
    const auto next = [&index](int64_t count) {
      const int64_t i = index % count;
      index /= count;
      return i;
    };
    const int64_t part = next(sharing_.panel_parts);
    const int64_t column = next(sharing_.column_blocks) * sharing_.columns;
    const int64_t row = next(sharing_.row_blocks) * sharing_.rows;
    OutputBlock block = {next(axis_[0].out), row, std::min(sharing_.rows, axis_[1].out - row), column,
                         std::min(sharing_.columns, axis_[2].out - column)};
    const int64_t group = next(plan_.groups);
    const int64_t image = index;
    if (block.rows <= 0 || block.columns <= 0) return;

    ArenaFrame arena;
    const int64_t in_plane = axis_[0].in * axis_[1].in * axis_[2].in;
    const InputView<T> view = view_input(kernels_, plan_.padding_mode, axis_,
                                         x_ + (image * plan_.in_channels + group * channels_) * in_plane,
                                         channels_, block, 1, arena);
    TapLists lists;
    lists.depths = valid_taps(plan_.padding_mode, axis_[0], block.depth);
    for (Taps& taps : lists.taps) taps.list = arena.take<DirectTap>(block_channels_ * taps_);
    const int64_t first_panel = part * panels_.count() / sharing_.panel_parts;
    const int64_t end_panel = (part + 1) * panels_.count() / sharing_.panel_parts;
    for (int64_t panel = first_panel; panel < end_panel; ++panel) {
      if (context_.is_cancelled()) return;
      run_panel(view, lists, image, group, panel, block);
    }
  }

  // The taps of one block of channels, valid for outputs whose `rows` of taps are these.
  struct Taps {
    DirectTap* list;
    TapRange rows;
    int64_t width = 0;  // of the panel that the weights' offsets are for; 0 before the first
    int64_t per_channel;
  };
  struct TapLists {
    TapRange depths;  // of a chunk's outputs, which share a depth
    Taps taps[kTapLists];
    int oldest = 0;
  };

  const Taps& list_taps(const InputView<T>& view, TapRange rows, int64_t width, TapLists& lists) const {
    for (const Taps& taps : lists.taps) {
      if (taps.width == width && taps.rows.first == rows.first && taps.rows.end == rows.end) return taps;
    }
    const TapRange depths = lists.depths;
    Taps& taps = lists.taps[lists.oldest];
    lists.oldest = (lists.oldest + 1) % kTapLists;
    const int64_t kh = axis_[1].kernel, kw = axis_[2].kernel;
    DirectTap* tap = taps.list;
    for (int64_t c = 0; c < block_channels_; ++c) {
      for (int64_t p = depths.first; p < depths.end; ++p) {
        for (int64_t q = rows.first; q < rows.end; ++q) {
          const int64_t input = c * view.channel + p * view.tap_depth + q * view.tap_row;
          const int64_t weight = c * taps_ + (p * kh + q) * kw;
          for (int64_t r = 0; r < kw; ++r) *tap++ = {input + view.tap_column[r], (weight + r) * width};
        }
      }
    }
    taps = {taps.list, rows, width, kw * (depths.end - depths.first) * (rows.end - rows.first)};
    return taps;
  }

  // Pixels of one row whose sums are computed, and stored, together.
  struct Run {
    int64_t row, column, pixels;
  };

  // Where the weights lie that tiles fetch beside their own, how far a tap of a tile goes on in them, and how
  // many tiles have been there before.
  struct Ahead {
    int64_t distance, tap, tiles;
  };

  // The pixels of a block in runs. As many runs as a band holds wait for a block of weights to pass by all of
  // them; small panels are in cache anyway, and a band is one run.
  void run_panel(const InputView<T>& view, TapLists& lists, int64_t image, int64_t group, int64_t panel,
                 const OutputBlock& block) const {
    const int64_t vectors = panels_.vectors_of(panel), width = vectors * panels_.lanes;
    const int64_t most = kernels_.direct_blocking.max_pixels(static_cast<int32_t>(vectors));
    const int64_t tiles = ceil_div(block.columns, most);
    const int64_t narrow = block.columns / tiles, wide_tiles = block.columns % tiles;
    const auto column_of = [&](int64_t tile) { return tile * narrow + std::min(tile, wide_tiles); };

    const bool is_large = channels_ * taps_ * width * static_cast<int64_t>(sizeof(T)) > kPanelBytes;
    const int64_t run_pixels = tuning::kDirectRunTiles * most;
    const int64_t band_pixels =
        is_large ? std::max<int64_t>(run_pixels, kBandBytes / (width * static_cast<int64_t>(sizeof(T))))
                 : run_pixels;
    ArenaFrame arena;
    T* const sums = arena.take<T>(band_pixels * width);
    Run* const runs = arena.take<Run>(band_pixels);

    int64_t count = 0, pixels = 0, passed = 0, waiting = 0;  // of tiles, the latter two
    const auto finish = [&] {
      // Weights that come from L3 are fetched evenly by all tiles that the ones before meet: the next
      // block's, or the next panel's. Were they to come when they are needed, the first tile would wait for
      // them and the others leave L3 idle.
      Ahead ahead = {0, 0, 0};
      if (streams_ && is_large) ahead = {width * block_channels_ * taps_, width / waiting, 0};
      if (streams_ && !is_large) {
        ahead = {width * channels_ * taps_, width / (tiles * block.rows), passed};
      }
      run_band(view, lists, image, group, panel, block, runs, count, ahead, sums);
      passed += waiting;
      count = pixels = waiting = 0;
    };
    for (int64_t row = 0; row < block.rows; ++row) {
      for (int64_t tile = 0; tile < tiles; tile += tuning::kDirectRunTiles) {
        const int64_t column = column_of(tile);
        const int64_t more = column_of(std::min(tiles, tile + tuning::kDirectRunTiles)) - column;
        if (pixels + more > band_pixels || (!is_large && count > 0)) finish();
        runs[count++] = {row, column, more};
        pixels += more;
        waiting += std::min(tuning::kDirectRunTiles, tiles - tile);
      }
    }
    finish();
    if (context_.epilogue != nullptr) finish_panel(image, group, panel, block);
  }

  // What a panel's channels of a block are finished by, while they are in L2.
  void finish_panel(int64_t image, int64_t group, int64_t panel, const OutputBlock& block) const {
    const int64_t first = panels_.first_of(panel);
    const int64_t channels = std::min(panels_.vectors_of(panel) * panels_.lanes, panels_.channels - first);
    const int64_t out_plane = axis_[0].out * axis_[1].out * axis_[2].out, width = axis_[2].out;
    if (plan_.output_block > 1) return finish_blocks(image, panel, block);
    T* const y = y_ + (image * plan_.out_channels + group * panels_.channels + first) * out_plane +
                 (block.depth * axis_[1].out + block.first_row) * width + block.first_column;
    if (block.columns == width) return context_.epilogue->run(y, channels, out_plane, block.rows * width);
    for (int64_t row = 0; row < block.rows; ++row)
      context_.epilogue->run(y + row * width, channels, out_plane, block.columns);
  }

  void finish_blocks(int64_t image, int64_t panel, const OutputBlock& block) const {
    const int64_t width = axis_[2].out;
    T* const y = blocked_output(image, panel, block);
    if (block.columns == width) {
      return context_.epilogue->run(y, panels_.vectors_of(panel), out_plane_of_block(),
                                    block.rows * width * panels_.lanes);
    }
    for (int64_t row = 0; row < block.rows; ++row) {
      context_.epilogue->run(y + row * width * panels_.lanes, panels_.vectors_of(panel), out_plane_of_block(),
                             block.columns * panels_.lanes);
    }
  }

  int64_t out_plane_of_block() const {
    return axis_[0].out * axis_[1].out * axis_[2].out * plan_.output_block;
  }
  // Where a panel's outputs of a block of pixels begin, in a result of one group whose channels lie in
  // blocks.
  T* blocked_output(int64_t image, int64_t panel, const OutputBlock& block) const {
    const int64_t vector = panels_.first_of(panel) / panels_.lanes,
                  vectors = panels_.padded() / panels_.lanes;
    return y_ + (image * vectors + vector) * out_plane_of_block() +
           ((block.depth * axis_[1].out + block.first_row) * axis_[2].out + block.first_column) *
               panels_.lanes;
  }

  void run_band(const InputView<T>& view, TapLists& lists, int64_t image, int64_t group, int64_t panel,
                const OutputBlock& block, const Run* runs, int64_t count, const Ahead& ahead, T* sums) const {
    const int64_t vectors = panels_.vectors_of(panel), width = vectors * panels_.lanes;
    const int64_t most = kernels_.direct_blocking.max_pixels(static_cast<int32_t>(vectors));
    const int64_t first = panels_.first_of(panel);
    const int64_t lane = group * panels_.padded() + first;
    const int64_t blocks = ceil_div(channels_, block_channels_);
    DirectSums<T> summed;
    summed.ahead_tap = ahead.tap;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t channel = b * block_channels_;
      summed.w = packed_.weights.data() + lane * channels_ * taps_ + channel * taps_ * width;
      summed.accumulate = b > 0;
      summed.sums = sums;
      summed.ahead = summed.w + ahead.distance + ahead.tiles * block_channels_ * taps_ * ahead.tap;
      for (const Run* run = runs; run != runs + count; ++run) {
        const TapRange rows = valid_taps(plan_.padding_mode, axis_[1], block.first_row + run->row);
        const Taps& taps = list_taps(view, rows, width, lists);
        summed.x = view.origin + run->row * view.out_row + run->column + channel * view.channel;
        summed.taps = taps.list;
        summed.tap_count = std::min(block_channels_, channels_ - channel) * taps.per_channel;
        kernels_.direct_sums(static_cast<int>(vectors), run->pixels, summed);
        summed.sums += run->pixels * width;
        summed.ahead += ceil_div(run->pixels, most) * summed.tap_count * ahead.tap;
      }
    }

    const int64_t out_plane = axis_[0].out * axis_[1].out * axis_[2].out;
    T* const y = y_ + (image * plan_.out_channels + group * panels_.channels + first) * out_plane +
                 (block.depth * axis_[1].out + block.first_row) * axis_[2].out + block.first_column;
    DirectStore<T> stored = {sums,
                             nullptr,
                             out_plane,
                             std::min(width, panels_.channels - first),
                             packed_.bias.data() + lane,
                             packed_.lo,
                             packed_.hi,
                             is_far_};
    if (plan_.output_block > 1) {
      stored.y_channel = out_plane_of_block();
      for (const Run* run = runs; run != runs + count; ++run) {
        stored.y =
            blocked_output(image, panel, block) + (run->row * axis_[2].out + run->column) * panels_.lanes;
        kernels_.direct_store_blocks(static_cast<int>(vectors), run->pixels, stored);
        stored.sums += run->pixels * width;
      }
      return;
    }
    for (const Run* run = runs; run != runs + count; ++run) {
      stored.y = y + run->row * axis_[2].out + run->column;
      kernels_.direct_store(static_cast<int>(vectors), run->pixels, stored);
      stored.sums += run->pixels * width;
    }
  }

  const Context& context_;
  const Kernels<T>& kernels_;
  const ConvPlan& plan_;
  const DirectWeights<T>& packed_;
  const T* const x_;
  T* const y_;
  const ChannelPanels panels_;
  const int64_t channels_, taps_;  // input channels and taps of a group's kernel
  Axis axis_[3];
  int64_t block_channels_;
  bool streams_;  // the weights come from L3
  bool is_far_;   // the result is in no cache
  Sharing sharing_;
};

template <typename T>
class DirectConv final : public ConvRunner {
 public:
  explicit DirectConv(DirectWeights<T> packed) : packed_(std::move(packed)) {}
  size_t bytes() const override { return sizeof(*this) + packed_.weights.bytes() + packed_.bias.bytes(); }
  bool applies_epilogue() const override { return true; }
  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    DirectRun<T>(context, plan, packed_, static_cast<const T*>(input), static_cast<T*>(output)).run();
  }

 private:
  const DirectWeights<T> packed_;
};

template <typename T>
std::shared_ptr<const ConvRunner> make(const Context& context, const ConvPlan& plan, const void* weight,
                                       const void* bias, double lo, double hi) {
  return std::make_shared<DirectConv<T>>(pack(context.kernels->of<T>(), plan, static_cast<const T*>(weight),
                                              static_cast<const T*>(bias), lo, hi));
}

}  // namespace

std::shared_ptr<const ConvRunner> pack_direct_forward(const Context& context, const ConvPlan& plan,
                                                      const void* weight, const void* bias, double lo,
                                                      double hi) {
  if (plan.input_block > 1) return pack_blocked(context, plan, weight, bias, lo, hi);
  return dispatch_float(plan.dtype,
                        [&](auto zero) { return make<decltype(zero)>(context, plan, weight, bias, lo, hi); });
}

// From an image plane by plane, or from blocks to blocks.
const ConvAlgorithm direct_algorithm = {
    [](const ConvPlan&) { return true; }, "any geometry", pack_either<pack_direct_forward>,
    [](const ConvPlan& plan) {
      return plan.input_block > 1
                 ? serves_blocked(plan)
                 : plan.op == ConvOp::forward && plan.groups == 1 && plan.dtype == DType::f32;
    }};

}  // namespace convmat
