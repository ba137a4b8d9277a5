// Integer convolution on a tile unit: lines of a frame hold 64 channels of a pixel.
#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "geometry/lowering.h"
#include "integer/panel_conv.h"
#include "integer/ways.h"
#include "product/tile_geometry.h"
#include "runtime/arena.h"
#include "runtime/tile_unit.h"
#include "simd/compiler.h"

namespace convmat {
namespace {

// Of one core, about: the product of two tiles, and what becomes of one sum.
constexpr double kTileNs = 6;
constexpr double kFinishNs = 0.15;

// An image whose channels and taps of a row are the channels that tiles see: of channel c and tap r, element
// j of a row is what output j reads there.
struct FoldedColumns {
  int64_t channels;  // of a group
  Axis width;
};

class TileConv final : public PanelConv {
 public:
  // `folded`: what the plan's channels are, where they are not the image's.
  TileConv(const Context& context, const IntegerConvPlan& plan, const uint8_t* weight, const int32_t* zeros,
           const int32_t* bias, const double* multipliers, std::optional<FoldedColumns> folded = {})
      : PanelConv(context, plan, multipliers != nullptr, kTileLanes * weight_tiles(plan),
                  ceil_div<int64_t>(weight_tiles(plan), kMaxWeightTiles)),
        tiles_(*p_.kernels->integer.tiles),
        geometry_(p_.axis, plan.conv.padding_mode, p_.channels, kTileDepth),
        is_product_(geometry_.is_product()),
        blocks_(geometry_.blocks()),
        steps_(geometry_.steps()),
        weight_tiles_(weight_tiles(plan)),
        folded_(folded) {
    if (folded_) group_bytes_ = folded_->channels * p_.axis[0].in * p_.axis[1].in * folded_->width.in;
    weights_ = AlignedArray<uint8_t>(plan.conv.groups * weight_tiles_ * steps_ * kTileBytes);
    const Stored stored = choose_stored(weight, zeros);
    signed_weights_ = stored == Stored::signed_centred || stored == Stored::signed_with_zeros;
    for (int64_t g = 0; g < plan.conv.groups; ++g) pack_group(g, stored, weight, zeros, bias, multipliers);
    if (needs_input_sums_) pack_ones();
  }

 private:
  // How weights lie in the tiles: less their zero points, as whichever bytes hold the differences; or as
  // int8, with zero points that are left.
  enum class Stored { signed_centred, unsigned_centred, signed_with_zeros };

  static int64_t weight_tiles(const IntegerConvPlan& plan) {
    return ceil_div(plan.conv.out_channels / plan.conv.groups, kTileLanes);
  }
  size_t weight_bytes() const override { return weights_.bytes() + ones_.bytes(); }

  bool signed_pixels() const { return p_.plan.conv.dtype == DType::i8; }
  int64_t products() const { return p_.channels * p_.taps; }
  int32_t value_of(uint8_t byte) const {
    return p_.plan.weight_dtype == DType::i8 ? static_cast<int8_t>(byte) : byte;
  }

  Stored choose_stored(const uint8_t* weight, const int32_t* zeros) const {
    int32_t least = 0, most = 0;
    for (int64_t o = 0; o < p_.plan.conv.out_channels; ++o) {
      // Flipped, int8 are uint8 in the same order.
      const uint8_t flip = p_.plan.weight_dtype == DType::i8 ? 0x80 : 0;
      uint8_t low = 255, high = 0;
      for (int64_t i = 0; i < products(); ++i) {
        const auto byte = static_cast<uint8_t>(weight[o * products() + i] ^ flip);
        low = std::min(low, byte);
        high = std::max(high, byte);
      }
      const int32_t zero = zeros[o] + (flip != 0 ? 128 : 0);
      least = std::min(least, low - zero);
      most = std::max(most, high - zero);
    }
    if (least >= -128 && most <= 127) return Stored::signed_centred;
    return least >= 0 && most <= 255 ? Stored::unsigned_centred : Stored::signed_with_zeros;
  }

  void pack_group(int64_t g, Stored stored, const uint8_t* weight, const int32_t* zeros, const int32_t* bias,
                  const double* multipliers) {
    // A tile's channels as they are stored, [channel][products].
    ArenaFrame arena;
    uint8_t* const centred = arena.take<uint8_t>(kTileLanes * products());
    int32_t* const staged = is_product_ ? nullptr : arena.take<int32_t>(kTileLanes * kTileLanes * p_.taps);
    for (int64_t tile = 0; tile < weight_tiles_; ++tile) {
      const int64_t first = tile * kTileLanes;
      const int64_t used = std::min(kTileLanes, p_.out_channels - first);
      for (int64_t lane = 0; lane < kTileLanes; ++lane) {
        const int64_t at = g * padded_channels_ + first + lane;
        if (lane >= used) {
          set_channel(at, 0, 0, 0);
          continue;
        }
        const int64_t o = g * p_.out_channels + first + lane;
        const int32_t stored_zero = stored != Stored::signed_with_zeros ? 0
                                    : p_.plan.weight_dtype == DType::i8 ? zeros[o]
                                                                        : zeros[o] - 128;
        const uint64_t sum =
            centre(weight + o * products(), zeros[o] - stored_zero, centred + lane * products());
        // The sum of (x - zx) (w - zw) is that of x w, less zw times that of x, less zx times this.
        const uint64_t of_weights =
            sum - static_cast<uint64_t>(products()) * static_cast<uint64_t>(int64_t{zeros[o]});
        const auto zx = static_cast<uint64_t>(int64_t{p_.plan.input_zero_point});
        const auto added = static_cast<uint64_t>(bias == nullptr ? int64_t{0} : int64_t{bias[o]});
        set_channel(at, wrapped(added - zx * of_weights), stored_zero, p_.scaled ? multipliers[o] : 0);
      }
      pack_tile(centred, used, g, tile, staged);
    }
  }

  // to[i] <-- weight[i] - zero, whose low byte is what is stored; returns the sum of the weights.
  uint64_t centre(const uint8_t* weight, int32_t zero, uint8_t* to) const {
    const auto low = static_cast<uint8_t>(zero);
    for (int64_t i = 0; i < products(); ++i) to[i] = static_cast<uint8_t>(weight[i] - low);
    int64_t sum = 0;
    constexpr int64_t kPart = 1 << 20;  // whose sum an int32 holds
    for (int64_t i = 0; i < products(); i += kPart) {
      const int64_t end = std::min(products(), i + kPart);
      int32_t part = 0;
      if (p_.plan.weight_dtype == DType::i8) {
        for (int64_t j = i; j < end; ++j) part += static_cast<int8_t>(weight[j]);
      } else {
        for (int64_t j = i; j < end; ++j) part += weight[j];
      }
      sum += part;
    }
    return static_cast<uint64_t>(sum);
  }

  // Of a panel, tiles of one step lie side by side.
  int64_t panel_tiles(int64_t panel) const {
    return std::min<int64_t>(kMaxWeightTiles, weight_tiles_ - panel * kMaxWeightTiles);
  }
  const uint8_t* panel_weights(int64_t g, int64_t panel) const {
    return weights_.data() + (g * weight_tiles_ + panel * kMaxWeightTiles) * steps_ * kTileBytes;
  }

  void pack_tile(const uint8_t* centred, int64_t used, int64_t g, int64_t tile, int32_t* staged) {
    const int64_t panel = tile / kMaxWeightTiles;
    const int64_t step_bytes = panel_tiles(panel) * kTileBytes;
    uint8_t* const first =
        weights_.data() + (panel_weights(g, panel) - weights_.data()) + tile % kMaxWeightTiles * kTileBytes;
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t channel = block * kTileDepth;
      const int64_t channels = std::min(kTileDepth, p_.channels - channel);
      uint8_t* const to = first + block * p_.taps * step_bytes;
      if (is_product_) {
        if (channels < kTileDepth || used < kTileLanes) std::memset(to, 0, kTileBytes);
        for (int64_t lane = 0; lane < used; ++lane) {
          std::memcpy(to + lane * kTileDepth, centred + lane * p_.channels + channel,
                      static_cast<size_t>(channels));
        }
        continue;
      }
      // Words of 4 channels, [output channel][word][tap]; then the output channels side by side.
      const int64_t pitch = kTileLanes * p_.taps;
      std::fill(staged, staged + kTileLanes * pitch, 0);
      for (int64_t lane = 0; lane < used; ++lane) {
        const uint8_t* const from = centred + (lane * p_.channels + channel) * p_.taps;
        for (int64_t c = 0; c < channels; c += 4)
          join_channels(from + c * p_.taps, channels - c, staged + lane * pitch + c / 4 * p_.taps);
      }
      for (int64_t word = 0; word < kTileLanes; ++word) {
        // Floats are moved bit by bit.
        p_.kernels->f32.transpose(kTileLanes, p_.taps,
                                  reinterpret_cast<const float*>(staged + word * p_.taps), pitch,
                                  reinterpret_cast<float*>(to + word * kTileDepth),
                                  step_bytes / static_cast<int64_t>(sizeof(float)));
      }
    }
  }

  // to[tap] <-- one byte each of up to 4 channels' weights
  void join_channels(const uint8_t* from, int64_t channels, int32_t* CONVMAT_RESTRICT to) const {
    const int64_t taps = p_.taps;
    if (channels < 4) {
      for (int64_t t = 0; t < taps; ++t) {
        uint32_t word = 0;
        for (int64_t k = 0; k < channels; ++k) word |= uint32_t{from[k * taps + t]} << 8 * k;
        to[t] = static_cast<int32_t>(word);
      }
      return;
    }
    const uint8_t *const b = from + taps, *const c = b + taps, *const d = c + taps;
    for (int64_t t = 0; t < taps; ++t) {
      to[t] =
          static_cast<int32_t>(from[t] | uint32_t{b[t]} << 8 | uint32_t{c[t]} << 16 | uint32_t{d[t]} << 24);
    }
  }

  // A tile of weights that are 1, whose sums are those of the input.
  void pack_ones() {
    ones_ = AlignedArray<uint8_t>(steps_ * kTileBytes);
    std::memset(ones_.data(), 0, static_cast<size_t>(ones_.size()));
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t channels = std::min(kTileDepth, p_.channels - block * kTileDepth);
      for (int64_t tap = 0; tap < p_.taps; ++tap) {
        uint8_t* const to = ones_.data() + (block * p_.taps + tap) * kTileBytes;
        for (int64_t c = 0; c < channels; ++c) {
          // Lane 0 of the product's rows, or of its columns.
          to[is_product_ ? c : c / 4 * kTileDepth + c % 4] = 1;
        }
      }
    }
  }

  PanelSharing share() const override {
    const double pixel_ns = static_cast<double>(weight_tiles_ * std::max<int64_t>(steps_, 1)) * kTileNs /
                                static_cast<double>(kTileLanes) +
                            static_cast<double>(padded_channels_) * kFinishNs;
    const auto fits = [this](int64_t rows, int64_t columns) {
      return geometry_.frame_bytes(rows, columns) <= kChunkFrameBytes;
    };
    return share_panels(outputs(), pixel_ns, kMaxTilePixels, fits);
  }

  void run_chunk(const Chunk& chunk) const override {
    ArenaFrame arena;
    multiply(chunk, is_product_ ? columns_of(chunk, arena) : lines_of(chunk, arena), arena);
  }

  TilePixels columns_of(const Chunk& chunk, ArenaFrame& arena) const {
    const int64_t tiles = ceil_div(chunk.columns, kTileLanes);
    uint8_t* const to = arena.take<uint8_t>(tiles * blocks_ * kTileBytes);
    tiles_.columns(
        {chunk.input + chunk.column, p_.in_plane(), p_.channels, chunk.columns, blocks_ * kTileLanes, to});
    return geometry_.columns(chunk, to, arena);
  }

  TilePixels lines_of(const Chunk& chunk, ArenaFrame& arena) const {
    const Fold fold = folded_ ? make_fold(chunk.columns, arena) : Fold{};
    return geometry_.frame(chunk, Lines(*this, chunk, fold), arena);
  }

  // Where one row of a folded image is made.
  struct Fold {
    uint8_t* padded;  // of one channel, from the first input of the first output on
    uint8_t* phases;  // [stride][phase]: every stride-th of them
    uint8_t* rows;    // [channel][tap][pitch]
    int64_t length, phase, pitch;
  };
  Fold make_fold(int64_t columns, ArenaFrame& arena) const {
    const Axis& width = folded_->width;
    Fold fold;
    fold.length = (columns - 1) * width.stride + (width.kernel - 1) * width.dilation + 1;
    fold.phase = ceil_div(fold.length, width.stride);
    fold.pitch = columns;
    fold.padded = arena.take<uint8_t>(fold.phase * width.stride);
    fold.phases = arena.take<uint8_t>(fold.phase * width.stride);
    fold.rows = arena.take<uint8_t>(p_.channels * fold.pitch);
    std::memset(fold.padded, 0, static_cast<size_t>(fold.phase * width.stride));
    return fold;
  }

  // `row`: counted through the planes of one channel.
  void fold_row(const Chunk& chunk, int64_t row, const Fold& fold) const {
    const Axis& width = folded_->width;
    const int64_t channel_bytes = group_bytes_ / folded_->channels;
    const int64_t first = chunk.column * width.stride - width.pad_before;
    const int64_t begin = std::clamp<int64_t>(-first, 0, fold.length);
    const int64_t end = std::clamp<int64_t>(width.in - first, begin, fold.length);
    const auto zero = static_cast<uint8_t>(p_.plan.input_zero_point);
    uint8_t* to = fold.rows;
    for (int64_t c = 0; c < folded_->channels; ++c) {
      const uint8_t* const from = chunk.input + c * channel_bytes + row * width.in;
      const auto border = [&](int64_t t) {
        const int64_t column = padded_position(p_.plan.conv.padding_mode, first + t, width.in);
        fold.padded[t] = column < 0 ? zero : from[column];
      };
      for (int64_t t = 0; t < begin; ++t) border(t);
      if (begin < end)
        std::memcpy(fold.padded + begin, from + first + begin, static_cast<size_t>(end - begin));
      for (int64_t t = end; t < fold.length; ++t) border(t);
      for (int64_t s = 0; s < width.stride; ++s)
        take_every(fold.padded + s, width.stride, fold.phase, fold.phases + s * fold.phase);
      for (int64_t r = 0; r < width.kernel; ++r) {
        const int64_t at = r * width.dilation;
        const uint8_t* const phase = fold.phases + at % width.stride * fold.phase;
        std::memcpy(to, phase + at / width.stride, static_cast<size_t>(chunk.columns));
        to += fold.pitch;
      }
    }
  }
  // As loops that vectors do, for the strides that are common.
  static void take_every(const uint8_t* CONVMAT_RESTRICT from, int64_t stride, int64_t count,
                         uint8_t* CONVMAT_RESTRICT to) {
    if (stride == 1) {
      std::memcpy(to, from, static_cast<size_t>(count));
    } else if (stride == 2) {
      for (int64_t i = 0; i < count; ++i) to[i] = from[2 * i];
    } else {
      for (int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
    }
  }

  class Lines final : public TileLineSource {
   public:
    Lines(const TileConv& conv, const Chunk& chunk, const Fold& fold)
        : conv_(conv), chunk_(chunk), fold_(fold) {}

    void fill(uint8_t* to, int64_t lines) const override {
      std::memset(to, static_cast<uint8_t>(conv_.p_.plan.input_zero_point),
                  static_cast<size_t>(lines * kTileDepth));
    }
    void write(int64_t block, int64_t row, int64_t column, int64_t columns, const int32_t* lines,
               uint8_t* to) const override {
      const IntegerProblem& p = conv_.p_;
      if (conv_.folded_) {
        conv_.fold_row(chunk_, row, fold_);
        return conv_.tiles_.lines(
            {fold_.rows + (column - chunk_.column), fold_.pitch, p.channels, columns, lines, to});
      }
      const int64_t channel = block * kTileDepth;
      conv_.tiles_.lines({chunk_.input + channel * p.in_plane() + row * p.axis[2].in + column, p.in_plane(),
                          std::min(kTileDepth, p.channels - channel), columns, lines, to});
    }

   private:
    const TileConv& conv_;
    const Chunk& chunk_;
    const Fold& fold_;
  };

  void multiply(const Chunk& chunk, const TilePixels& pixels, ArenaFrame& arena) const {
    int32_t* const sums = arena.take<int32_t>(kMaxTilePixels * kMaxTileChannels);
    int32_t* const input_sums =
        needs_input_sums_ ? arena.take<int32_t>(pixels.calls * kMaxTilePixels) : nullptr;

    const TileForm form = {!is_product_, signed_pixels(), signed_weights_};
    TileProduct product{pixels.data,
                        pixels.steps,
                        pixels.next_tile,
                        nullptr,
                        steps_,
                        sums,
                        is_product_ ? kMaxTilePixels : kMaxTileChannels};
    TileFinish finish{};
    finish.pixels_are_rows = form.pixels_are_rows;
    finish.sums = sums;
    finish.sums_row = product.sums_row;
    const TileScope scope(tiles_);
    if (needs_input_sums_) sum_inputs(pixels, product, input_sums);
    for (int64_t panel = chunk.first_panel; panel < chunk.end_panel; ++panel) {
      const int64_t first = panel * kMaxTileChannels;
      const int64_t lane0 = chunk.group * padded_channels_ + first;
      product.weights = panel_weights(chunk.group, panel);
      finish.channels = std::min(kMaxTileChannels, p_.out_channels - first);
      finish_with(finish, lane0);
      finish.weight_zeros = needs_input_sums_ ? weight_zeros(lane0) : nullptr;
      finish.y = p_.output_at(chunk.output, first * p_.out_plane());
      for (int64_t i = 0; i < pixels.calls; ++i) {
        const int64_t pixel = i * kMaxTilePixels;
        finish.pixels = std::min(kMaxTilePixels, pixels.count - pixel);
        product.pixels = pixels.data + i * kMaxPixelTiles * pixels.next_tile;
        tiles_.product(form, static_cast<int>(ceil_div(finish.pixels, kTileLanes)),
                       static_cast<int>(panel_tiles(panel)), product);
        finish.input_sums = needs_input_sums_ ? input_sums + pixel : nullptr;
        finish.runs = pixels.runs + pixel;
        finish.run_count = pixels.run_counts[i];
        tiles_.finish(finish);
      }
    }
  }

  void sum_inputs(const TilePixels& pixels, TileProduct product, int32_t* input_sums) const {
    const TileForm form = {!is_product_, signed_pixels(), true};
    product.weights = ones_.data();
    for (int64_t pixel = 0; pixel < pixels.count; pixel += kMaxTilePixels) {
      product.pixels = pixels.data + pixel / kTileLanes * pixels.next_tile;
      const int64_t tiles = std::min<int64_t>(kMaxPixelTiles, ceil_div(pixels.count - pixel, kTileLanes));
      tiles_.product(form, static_cast<int>(tiles), 1, product);
      for (int64_t i = 0; i < kMaxTilePixels; ++i)
        input_sums[pixel + i] =
            i < tiles * kTileLanes ? product.sums[is_product_ ? i : i * product.sums_row] : 0;
    }
  }

  const TileKernels& tiles_;
  const TileGeometry geometry_;
  const bool is_product_;
  const int64_t blocks_, steps_;  // as of the geometry
  const int64_t weight_tiles_;    // of a group's outputs
  const std::optional<FoldedColumns> folded_;
  bool signed_weights_ = true;
  AlignedArray<uint8_t> weights_;  // [group][panel][step][tile][16 lines]
  AlignedArray<uint8_t> ones_;
};

}  // namespace

bool folds_columns(const IntegerConvPlan& plan) {
  const Axis &height = plan.conv.axis[1], &width = plan.conv.axis[2];
  // A kernel of several rows: the axes of the image stay what they are.
  return width.kernel > 1 && height.kernel > 1 &&
         plan.conv.in_channels / plan.conv.groups * width.kernel <= kTileDepth;
}

std::shared_ptr<const PackedIntegerConv> pack_integer_tiles(const Context& context,
                                                            const IntegerConvPlan& plan,
                                                            const uint8_t* weight, const int32_t* zeros,
                                                            const int32_t* bias, const double* multipliers) {
  if (!folds_columns(plan)) {
    return std::make_shared<TileConv>(context, plan, weight, zeros, bias, multipliers);
  }
  const Axis width = plan.conv.axis[2];
  const int64_t channels = plan.conv.in_channels / plan.conv.groups, columns = width.kernel;
  IntegerConvPlan folded = plan;
  folded.conv.in_channels = plan.conv.in_channels * columns;
  folded.conv.axis[2] = {width.out, 1, 1, 1, 0, 0, width.out};
  // weight[output][channel][tap of depth and height][column] becomes [output][channel][column][tap]
  const int64_t taps = taps_of(folded.conv);
  std::vector<uint8_t> weights(static_cast<size_t>(plan.conv.out_channels * channels * columns * taps));
  uint8_t* to = weights.data();
  for (int64_t oc = 0; oc < plan.conv.out_channels * channels; ++oc) {
    for (int64_t r = 0; r < columns; ++r) {
      for (int64_t t = 0; t < taps; ++t) *to++ = weight[(oc * taps + t) * columns + r];
    }
  }
  return std::make_shared<TileConv>(context, folded, weights.data(), zeros, bias, multipliers,
                                    FoldedColumns{channels, width});
}

}  // namespace convmat
