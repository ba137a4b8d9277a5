// Forward convolution of operands rounded to bfloat16 on a tile unit: lines of a frame hold 32 channels of a
// pixel.
#include "conv/bf16_tiles.h"

#include <algorithm>
#include <cstring>

#include "plan/arith.h"
#include "plan/sizes.h"
#include "product/tile_geometry.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/bfloat16.h"
#include "runtime/epilogue.h"
#include "runtime/tile_unit.h"
#include "table/table.h"

namespace convmat {
namespace {

// Of one core, about: the product of two tiles, and what becomes of one sum.
constexpr double kTileNs = 8;
constexpr double kFinishNs = 0.1;

class Bf16TileConv final : public ConvRunner {
 public:
  Bf16TileConv(const Context& context, const ConvPlan& plan, const float* weight, const float* bias, float lo,
               float hi)
      : tiles_(*context.kernels->integer.tiles),
        transpose_(context.kernels->f32.transpose),
        channels_(plan.in_channels / plan.groups),
        out_channels_(plan.out_channels / plan.groups),
        weight_tiles_(ceil_div(out_channels_, kTileLanes)),
        panels_(ceil_div<int64_t>(weight_tiles_, kMaxWeightTiles)),
        bias_(plan.groups * weight_tiles_ * kTileLanes),
        lo_(lo),
        hi_(hi) {
    const TileGeometry geometry = geometry_of(plan);
    steps_ = geometry.steps();
    weights_ = AlignedArray<uint16_t>(plan.groups * weight_tiles_ * steps_ * kTileElements);
    std::memset(weights_.data(), 0, sizeof(uint16_t) * static_cast<size_t>(weights_.size()));
    std::fill_n(bias_.data(), bias_.size(), 0.0f);
    const int64_t taps = taps_of(plan), products = channels_ * taps;
    ArenaFrame arena;
    auto* const staged = geometry.is_product()
                             ? nullptr
                             : arena.take<uint8_t>(kTileLanes * ceil_div(taps, kTileLanes) * kTileBytes);
    for (int64_t g = 0; g < plan.groups; ++g) {
      for (int64_t tile = 0; tile < weight_tiles_; ++tile) {
        const int64_t first = g * out_channels_ + tile * kTileLanes;
        const int64_t used = std::min(kTileLanes, out_channels_ - tile * kTileLanes);
        const int64_t panel = tile / kMaxWeightTiles;
        uint16_t* const to =
            weights_.data() + panel_weights(g, panel) + tile % kMaxWeightTiles * kTileElements;
        const int64_t step_elements = panel_tiles(panel) * kTileElements;
        if (geometry.is_product()) {
          pack_rows(weight + first * products, used, to, step_elements);
        } else {
          pack_columns(weight + first * products, used, taps, to, step_elements, staged);
        }
        if (bias != nullptr)
          std::copy_n(bias + first, used, bias_.data() + (g * weight_tiles_ + tile) * kTileLanes);
      }
    }
  }

  size_t bytes() const override { return sizeof(*this) + weights_.bytes() + bias_.bytes(); }
  bool applies_epilogue() const override { return true; }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    Axis axis[3];
    merged_axes(plan, axis);
    const TileGeometry geometry = geometry_of(plan);
    const PanelOutputs outputs = {axis, plan.batch, plan.groups, panels_};
    const double pixel_ns = static_cast<double>(weight_tiles_) *
                            (static_cast<double>(steps_) * kTileNs / static_cast<double>(kTileLanes) +
                             static_cast<double>(kTileLanes) * kFinishNs);
    const auto fits = [&](int64_t rows, int64_t columns) {
      return geometry.frame_bytes(rows, columns) <= kChunkFrameBytes;
    };
    const int64_t in_plane = axis[0].in * axis[1].in * axis[2].in;
    const int64_t out_plane = axis[0].out * axis[1].out * axis[2].out;
    for_each_chunk(context, outputs, share_panels(outputs, pixel_ns, kMaxTilePixels, fits),
                   [&](const PanelChunk& chunk) {
                     const int64_t image = chunk.image * plan.groups + chunk.group;
                     const Planes x = {static_cast<const float*>(input) + image * channels_ * in_plane,
                                       in_plane, axis[2].in};
                     float* const y = static_cast<float*>(output) + image * out_channels_ * out_plane;
                     ArenaFrame arena;
                     const TilePixels pixels = geometry.is_product() ? columns_of(geometry, chunk, x, arena)
                                                                     : lines_of(geometry, chunk, x, arena);
                     multiply(context, axis, chunk, geometry.is_product(), pixels, y, arena);
                   });
  }

 private:
  static constexpr int64_t kTileElements = kTileLanes * kTileBf16;

  struct Planes {
    const float* data;
    int64_t plane, row;
  };

  static void merged_axes(const ConvPlan& plan, Axis (&axis)[3]) {
    std::copy(plan.axis, plan.axis + 3, axis);
    merge_axes(axis);
  }
  static TileGeometry geometry_of(const ConvPlan& plan) {
    Axis axis[3];
    merged_axes(plan, axis);
    return {axis, plan.padding_mode, plan.in_channels / plan.groups, kTileBf16};
  }

  // Of a panel, tiles of one step lie side by side.
  int64_t panel_tiles(int64_t panel) const {
    return std::min<int64_t>(kMaxWeightTiles, weight_tiles_ - panel * kMaxWeightTiles);
  }
  int64_t panel_weights(int64_t g, int64_t panel) const {
    return (g * weight_tiles_ + panel * kMaxWeightTiles) * steps_ * kTileElements;
  }

  // weight: [used][channel] of a tile's output channels, the product's rows.
  void pack_rows(const float* weight, int64_t used, uint16_t* to, int64_t step_elements) const {
    for (int64_t channel = 0; channel < channels_; channel += kTileBf16, to += step_elements) {
      const int64_t channels = std::min(kTileBf16, channels_ - channel);
      for (int64_t lane = 0; lane < used; ++lane)
        narrow_to_bfloat16(weight + lane * channels_ + channel, channels, to + lane * kTileBf16);
    }
  }

  // weight: [used][channel][tap]. Pairs of channels are staged as [output channel][16 taps][pair][tap]; then
  // the output channels go side by side.
  void pack_columns(const float* weight, int64_t used, int64_t taps, uint16_t* to, int64_t step_elements,
                    uint8_t* staged) const {
    const int64_t lane_bytes = ceil_div(taps, kTileLanes) * kTileBytes;
    std::memset(staged, 0, static_cast<size_t>(kTileLanes * lane_bytes));
    for (int64_t channel = 0; channel < channels_; channel += kTileBf16) {
      const int64_t channels = std::min(kTileBf16, channels_ - channel);
      for (int64_t lane = 0; lane < used; ++lane) {
        tiles_.bf16.columns({weight + (lane * channels_ + channel) * taps, taps, channels, taps, kTileLanes,
                             staged + lane * lane_bytes});
      }
      for (int64_t tap = 0; tap < taps; tap += kTileLanes) {
        const int64_t count = std::min(kTileLanes, taps - tap);
        for (int64_t pair = 0; pair < kTileLanes; ++pair) {
          // Floats are moved bit by bit.
          transpose_(
              kTileLanes, count,
              reinterpret_cast<const float*>(staged + tap / kTileLanes * kTileBytes + pair * kTileDepth),
              lane_bytes / static_cast<int64_t>(sizeof(float)),
              reinterpret_cast<float*>(to + tap * step_elements + pair * kTileBf16), step_elements / 2);
        }
      }
      to += taps * step_elements;
    }
  }

  TilePixels columns_of(const TileGeometry& geometry, const PanelChunk& chunk, const Planes& x,
                        ArenaFrame& arena) const {
    const int64_t tiles = ceil_div(chunk.columns, kTileLanes);
    auto* const to = arena.take<uint8_t>(tiles * geometry.blocks() * kTileBytes);
    tiles_.bf16.columns(
        {x.data + chunk.column, x.plane, channels_, chunk.columns, geometry.blocks() * kTileLanes, to});
    return geometry.columns(chunk, to, arena);
  }

  class Lines final : public TileLineSource {
   public:
    Lines(const Bf16TileConv& conv, const Planes& x) : conv_(conv), x_(x) {}

    void fill(uint8_t* to, int64_t lines) const override {
      std::memset(to, 0, static_cast<size_t>(lines * kTileDepth));
    }
    void write(int64_t block, int64_t row, int64_t column, int64_t columns, const int32_t* lines,
               uint8_t* to) const override {
      const int64_t channel = block * kTileBf16;
      conv_.tiles_.bf16.lines({x_.data + channel * x_.plane + row * x_.row + column, x_.plane,
                               std::min(kTileBf16, conv_.channels_ - channel), columns, lines, to});
    }

   private:
    const Bf16TileConv& conv_;
    const Planes& x_;
  };

  TilePixels lines_of(const TileGeometry& geometry, const PanelChunk& chunk, const Planes& x,
                      ArenaFrame& arena) const {
    return geometry.frame(chunk, Lines(*this, x), arena);
  }

  void multiply(const Context& context, const Axis (&axis)[3], const PanelChunk& chunk, bool is_product,
                const TilePixels& pixels, float* y, ArenaFrame& arena) const {
    auto* const sums = arena.take<float>(kMaxTilePixels * kMaxTileChannels);
    const int64_t out_plane = axis[0].out * axis[1].out * axis[2].out;
    // The unit stores words.
    TileProduct product{pixels.data,
                        pixels.steps,
                        pixels.next_tile,
                        nullptr,
                        steps_,
                        reinterpret_cast<int32_t*>(sums),
                        is_product ? kMaxTilePixels : kMaxTileChannels};
    Bf16Finish finish{};
    finish.pixels_are_rows = !is_product;
    finish.sums = sums;
    finish.sums_row = product.sums_row;
    finish.lo = lo_;
    finish.hi = hi_;
    finish.y_channel = out_plane;
    const TileScope scope(tiles_);
    for (int64_t panel = chunk.first_panel; panel < chunk.end_panel; ++panel) {
      if (context.is_cancelled()) return;
      const int64_t first = panel * kMaxTileChannels;
      product.weights = reinterpret_cast<const uint8_t*>(weights_.data() + panel_weights(chunk.group, panel));
      finish.channels = std::min(kMaxTileChannels, out_channels_ - first);
      finish.bias = bias_.data() + chunk.group * weight_tiles_ * kTileLanes + first;
      finish.y = y + first * out_plane;
      for (int64_t i = 0; i < pixels.calls; ++i) {
        finish.pixels = std::min(kMaxTilePixels, pixels.count - i * kMaxTilePixels);
        product.pixels = pixels.data + i * kMaxPixelTiles * pixels.next_tile;
        tiles_.bf16.product(finish.pixels_are_rows, static_cast<int>(ceil_div(finish.pixels, kTileLanes)),
                            static_cast<int>(panel_tiles(panel)), product);
        finish.runs = pixels.runs + i * kMaxTilePixels;
        finish.run_count = pixels.run_counts[i];
        tiles_.bf16.finish(finish);
      }
      if (context.epilogue == nullptr) continue;
      const bool is_whole = chunk.columns == axis[2].out;
      const int64_t rows = is_whole ? 1 : chunk.rows;
      const int64_t columns = is_whole ? chunk.rows * chunk.columns : chunk.columns;
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t at = (chunk.depth * axis[1].out + chunk.row + row) * axis[2].out + chunk.column;
        context.epilogue->run(finish.y + at, finish.channels, out_plane, columns);
      }
    }
  }

  const TileKernels& tiles_;
  TransposeFn<float>* const transpose_;
  const int64_t channels_, out_channels_;  // of a group
  const int64_t weight_tiles_, panels_;
  int64_t steps_;
  AlignedArray<uint16_t> weights_;  // [group][panel][step][tile][16 lines]
  AlignedArray<float> bias_;        // [group][padded channel]
  float lo_, hi_;
};

}  // namespace

// A tile costs the same however few of its lines and pairs are used.
bool worth_bf16_tiles(const Context& context, const ConvPlan& plan) {
  const TileKernels* const tiles = context.kernels->integer.tiles;
  if (tiles == nullptr || plan.op != ConvOp::forward || plan.input_block > 1 || plan.output_block > 1)
    return false;
  // The unit multiplies in the time that vectors take for a sixteenth; packing and storing take as long.
  constexpr double kGain = 4;
  const auto filled = [](int64_t count, int64_t tile) {
    return static_cast<double>(count) / static_cast<double>(round_up(std::max<int64_t>(count, 1), tile));
  };
  const int64_t pixels = plan.axis[0].out * plan.axis[1].out * plan.axis[2].out;
  const double used = filled(plan.in_channels / plan.groups, kTileBf16) *
                      filled(plan.out_channels / plan.groups, kTileLanes) *
                      std::min(1.0, static_cast<double>(pixels) / static_cast<double>(kTileLanes));
  return used * kGain >= 1 && (!tiles->need_permission || tiles_permitted());
}

std::shared_ptr<const ConvRunner> pack_bf16_tiles(const Context& context, const ConvPlan& plan,
                                                  const void* weight, const void* bias, double lo,
                                                  double hi) {
  return std::make_shared<Bf16TileConv>(context, plan, static_cast<const float*>(weight),
                                        static_cast<const float*>(bias), static_cast<float>(lo),
                                        static_cast<float>(hi));
}

}  // namespace convmat
