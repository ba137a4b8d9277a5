// Convolution by the direct kernels: output channels on the lanes, pixels read from the image or from a
// padded copy of the rows at hand. Every geometry of the forward convolution, f32 and f64.
#include <algorithm>
#include <utility>

#include "core/aligned.h"
#include "core/arena.h"
#include "core/conv_algorithm.h"
#include "core/input_view.h"
#include "core/thread_pool.h"

namespace convmat {
namespace {

// Products that are summed in one go; a block is as many channels as come near it. Measured on Zen 4: blocks
// of 256 cost 1 % of time, and keep the error of 4608 products at that of a few hundred.
constexpr int64_t kBlockTaps = 256;

// A frame that stays in L2 with the weights that it meets.
constexpr int64_t kFrameBytes = 512 << 10;

// Chunks take at least 15 us, so that claiming one costs nothing, and at most 200 us, so that threads end
// together.
constexpr double kChunkMinNs = 15e3, kChunkMaxNs = 200e3;
constexpr int64_t kChunks = 16;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

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
ChannelPanels panels_of(const TypedKernels<T>& kernels, const ConvPlan& plan) {
  return {plan.out_channels / plan.groups, kernels.direct_blocking.lanes, kernels.direct_blocking.vectors};
}

int64_t taps_of(const ConvPlan& plan) {
  return plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel;
}

// What the kernels read beside the image.
template <typename T>
struct DirectWeights {
  AlignedArray<T> weights;  // [group][panel][channel][tap][lane]
  AlignedArray<T> bias;     // [group][panel][lane]
  T lo, hi;
};

template <typename T>
DirectWeights<T> pack(const TypedKernels<T>& kernels, const ConvPlan& plan, const T* weight, const T* bias,
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

// Axes of 1 x 1 kernels that skip nothing are one long axis.
void merge_axes(Axis (&axis)[3]) {
  const auto plain = [](const Axis& a) {
    return a.kernel == 1 && a.stride == 1 && a.pad_before == 0 && a.pad_after == 0;
  };
  for (int outer = 1; outer >= 0; --outer) {
    if (!plain(axis[2]) || !plain(axis[outer])) return;
    axis[2].in *= axis[outer].in;
    axis[2].out *= axis[outer].out;
    axis[outer] = {1, 1, 1, 1, 0, 0, 1};
  }
}

// How the outputs are shared out: by the problem alone, so that results do not depend on threads.
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
        kernels_(typed_kernels<T>(*context.kernels)),
        plan_(plan),
        packed_(packed),
        x_(x),
        y_(y),
        panels_(panels_of(kernels_, plan)),
        channels_(plan.in_channels / plan.groups),
        taps_(taps_of(plan)) {
    std::copy(plan.axis, plan.axis + 3, axis_);
    merge_axes(axis_);
    const int64_t blocks = ceil_div(channels_ * taps_, std::max(kBlockTaps, taps_));
    block_channels_ = ceil_div(channels_, std::min(blocks, channels_));
    share();
  }

  void run() const {
    const int64_t chunks = plan_.batch * plan_.groups * axis_[0].out * sharing_.panel_parts *
                           sharing_.row_blocks * sharing_.column_blocks;
    parallel_for(chunks, sharing_.cost_ns, [this](int64_t i) {
      if (context_.cancelled == nullptr || !context_.cancelled->load(std::memory_order_relaxed)) run_chunk(i);
    });
  }

 private:
  void share() {
    const Axis &height = axis_[1], &width = axis_[2];
    const double macs_per_pixel = static_cast<double>(panels_.padded()) * channels_ * taps_;
    const double images = static_cast<double>(plan_.batch) * plan_.groups * axis_[0].out;
    sharing_.cost_ns = images * height.out * width.out * macs_per_pixel / kernels_.blocking.fma_per_ns;
    const double chunk_macs =
        std::clamp(sharing_.cost_ns / kChunks, kChunkMinNs, kChunkMaxNs) * kernels_.blocking.fma_per_ns;

    const int64_t tile = kernels_.direct_blocking.max_pixels(panels_.vectors_of(0));
    const bool in_place = reads_in_place(plan_.padding_mode, axis_);
    const auto fits = [&](int64_t rows, int64_t columns) {
      return in_place ||
             frame_elements(axis_, channels_, rows, columns, 1) * static_cast<int64_t>(sizeof(T)) <=
                 kFrameBytes;
    };
    int64_t columns = width.out;
    while (columns > tile && (!fits(1, columns) || columns * macs_per_pixel > 2 * chunk_macs)) {
      columns = ceil_div(columns / 2, tile) * tile;
    }
    sharing_.column_blocks = ceil_div(width.out, columns);
    sharing_.columns = columns;

    int64_t rows =
        std::clamp<int64_t>(static_cast<int64_t>(chunk_macs / (columns * macs_per_pixel)), 1, height.out);
    while (rows > 1 && !fits(rows, columns)) --rows;
    sharing_.row_blocks = ceil_div(height.out, rows);
    sharing_.rows = ceil_div(height.out, sharing_.row_blocks);

    const double chunks = images * sharing_.row_blocks * sharing_.column_blocks;
    const double wanted = sharing_.cost_ns * kernels_.blocking.fma_per_ns / chunk_macs;
    sharing_.panel_parts = std::clamp<int64_t>(static_cast<int64_t>(wanted / chunks), 1, panels_.count());
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
    Taps taps = {arena.take<DirectTap>(block_channels_ * taps_), {}, {}, 0, 0};
    const int64_t first_panel = part * panels_.count() / sharing_.panel_parts;
    const int64_t end_panel = (part + 1) * panels_.count() / sharing_.panel_parts;
    for (int64_t panel = first_panel; panel < end_panel; ++panel) {
      for (int64_t i = 0; i < block.rows; ++i) run_row(view, taps, image, group, panel, block, i);
    }
  }

  // The taps of one block of channels, valid for outputs whose `depths` and `rows` of taps are these.
  struct Taps {
    DirectTap* list;
    TapRange depths, rows;
    int64_t width;  // of the panel that the weights' offsets are for; 0 before the first
    int64_t per_channel;
  };

  void list_taps(const InputView<T>& view, TapRange depths, TapRange rows, int64_t width, Taps& taps) const {
    if (taps.width == width && taps.depths.first == depths.first && taps.depths.end == depths.end &&
        taps.rows.first == rows.first && taps.rows.end == rows.end) {
      return;
    }
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
    taps = {taps.list, depths, rows, width, (depths.end - depths.first) * (rows.end - rows.first) * kw};
  }

  void run_row(const InputView<T>& view, Taps& taps, int64_t image, int64_t group, int64_t panel,
               const OutputBlock& block, int64_t i) const {
    const DirectBlocking& blocking = kernels_.direct_blocking;
    const int64_t row = block.first_row + i;
    const int64_t vectors = panels_.vectors_of(panel), width = vectors * panels_.lanes;
    list_taps(view, valid_taps(plan_.padding_mode, axis_[0], block.depth),
              valid_taps(plan_.padding_mode, axis_[1], row), width, taps);

    const int64_t first = panels_.first_of(panel);
    const int64_t lane = group * panels_.padded() + first;
    const int64_t out_plane = axis_[0].out * axis_[1].out * axis_[2].out;
    DirectTile<T> tile;
    tile.x = view.origin + i * view.out_row;
    tile.w = packed_.weights.data() + lane * channels_ * taps_;
    tile.taps = taps.list;
    tile.blocks = ceil_div(channels_, block_channels_);
    tile.block_taps = block_channels_ * taps.per_channel;
    tile.last_block_taps = (channels_ - (tile.blocks - 1) * block_channels_) * taps.per_channel;
    tile.x_block = block_channels_ * view.channel;
    tile.w_block = block_channels_ * taps_ * width;
    tile.y = y_ + (image * plan_.out_channels + group * panels_.channels + first) * out_plane +
             (block.depth * axis_[1].out + row) * axis_[2].out + block.first_column;
    tile.y_channel = out_plane;
    tile.channels = std::min(width, panels_.channels - first);
    tile.bias = packed_.bias.data() + lane;
    tile.lo = packed_.lo;
    tile.hi = packed_.hi;

    // An even split: 56 pixels are 8 tiles of 7.
    const int64_t tiles = ceil_div(block.columns, blocking.max_pixels(static_cast<int32_t>(vectors)));
    const int64_t narrow = block.columns / tiles, wide_tiles = block.columns % tiles;
    DirectTileFn<T>* const kernel = kernels_.direct;
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t pixels = narrow + (t < wide_tiles ? 1 : 0);
      kernel(static_cast<int>(vectors), static_cast<int>(pixels), tile);
      tile.x += pixels;
      tile.y += pixels;
    }
  }

  const Context& context_;
  const TypedKernels<T> kernels_;
  const ConvPlan& plan_;
  const DirectWeights<T>& packed_;
  const T* const x_;
  T* const y_;
  const ChannelPanels panels_;
  const int64_t channels_, taps_;  // input channels and taps of a group's kernel
  Axis axis_[3];
  int64_t block_channels_;
  Sharing sharing_;
};

template <typename T>
class DirectConv final : public ConvRunner {
 public:
  explicit DirectConv(DirectWeights<T> packed) : packed_(std::move(packed)) {}
  size_t bytes() const override { return sizeof(*this) + packed_.weights.bytes() + packed_.bias.bytes(); }
  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    DirectRun<T>(context, plan, packed_, static_cast<const T*>(input), static_cast<T*>(output)).run();
  }

 private:
  const DirectWeights<T> packed_;
};

template <typename T>
std::shared_ptr<const ConvRunner> make(const Context& context, const ConvPlan& plan, const void* weight,
                                       const void* bias, double lo, double hi) {
  return std::make_shared<DirectConv<T>>(pack(typed_kernels<T>(*context.kernels), plan,
                                              static_cast<const T*>(weight), static_cast<const T*>(bias), lo,
                                              hi));
}

}  // namespace

std::shared_ptr<const ConvRunner> pack_direct_forward(const Context& context, const ConvPlan& plan,
                                                      const void* weight, const void* bias, double lo,
                                                      double hi) {
  return (plan.dtype == DType::f64 ? make<double> : make<float>)(context, plan, weight, bias, lo, hi);
}

}  // namespace convmat
