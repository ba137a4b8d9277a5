// Integer convolution by the direct kernels, output channels on the lanes.
#include <algorithm>
#include <cstring>
#include <limits>

#include "integer/frame.h"
#include "integer/panel_conv.h"
#include "integer/ways.h"
#include "plan/arith.h"
#include "runtime/arena.h"

namespace convmat {
namespace {

// Words of taps that one list describes; longer sums repeat it.
constexpr int64_t kBlockTaps = 64;

// Of packed weights before they are transposed.
constexpr int64_t kStagedWords = 16 << 10;

class LaneConv final : public PanelConv {
 public:
  LaneConv(const Context& context, const IntegerConvPlan& plan, const uint8_t* weight, const int32_t* zeros,
           const int32_t* bias, const double* multipliers)
      : PanelConv(context, plan, multipliers != nullptr, padded_channels(context, plan),
                  panels(context, plan)),
        blocking_(p_.kernels->integer.blocking),
        quads_(p_.kernels->integer.quad_tile != nullptr),
        input_format_(quads_ ? WordFormat::quads(*p_.kernels, plan.conv.dtype, plan.input_zero_point,
                                                 p_.kernels->integer.signed_quads)
                             : WordFormat::pairs(*p_.kernels, plan.conv.dtype, plan.input_zero_point)),
        tile_(quads_ ? p_.kernels->integer.quad_tile : p_.kernels->integer.pair_tile),
        words_(ceil_div(p_.channels, input_format_.factors)) {
    block_words_ = std::clamp<int64_t>(kBlockTaps / p_.taps, 1, std::max<int64_t>(words_, 1));
    weights_ = AlignedArray<int32_t>(plan.conv.groups * padded_channels_ * words_ * p_.taps);
    for (int64_t g = 0; g < plan.conv.groups; ++g) {
      for (int64_t panel = 0; panel < panels_; ++panel) pack_panel(weight, zeros, g, panel);
      pack_lanes(weight, zeros, bias, multipliers, g);
    }
    if (needs_input_sums_) pack_ones();
  }

 private:
  static int64_t padded_channels(const Context& context, const IntegerConvPlan& plan) {
    return round_up(plan.conv.out_channels / plan.conv.groups, context.kernels->integer.blocking.lanes);
  }
  static int64_t panels(const Context& context, const IntegerConvPlan& plan) {
    const DirectBlocking& blocking = context.kernels->integer.blocking;
    return ceil_div(plan.conv.out_channels / plan.conv.groups, int64_t{blocking.vectors} * blocking.lanes);
  }

  size_t weight_bytes() const override { return weights_.bytes() + ones_.bytes(); }
  int64_t width() const { return int64_t{blocking_.vectors} * blocking_.lanes; }
  int64_t vectors_of(int64_t panel) const {
    return std::min<int64_t>(blocking_.vectors, (padded_channels_ - panel * width()) / blocking_.lanes);
  }

  // weights[group][panel][word][tap][lane]
  void pack_panel(const uint8_t* weight, const int32_t* zeros, int64_t g, int64_t panel) {
    const int64_t first = panel * width(), lanes = vectors_of(panel) * blocking_.lanes;
    const int64_t used = std::min(lanes, p_.out_channels - first);
    const int64_t block = std::max<int64_t>(1, std::min(words_, kStagedWords / (lanes * p_.taps)));
    const int64_t pitch = block * p_.taps + kLongestVector;
    ArenaFrame arena;
    int32_t* const staged = arena.take<int32_t>(lanes * pitch);
    std::fill(staged, staged + lanes * pitch, 0);
    int32_t* to = weights_.data() + (g * padded_channels_ + first) * words_ * p_.taps;
    for (int64_t word = 0; word < words_; word += block) {
      const int64_t count = std::min(block, words_ - word);
      for (int64_t lane = 0; lane < used; ++lane) {
        const int64_t o = g * p_.out_channels + first + lane;
        pack_words(weight + o * p_.channels * p_.taps, zeros[o], word, count, staged + lane * pitch);
      }
      // Floats are moved bit by bit.
      p_.kernels->f32.transpose(lanes, count * p_.taps, reinterpret_cast<const float*>(staged), pitch,
                                reinterpret_cast<float*>(to), lanes);
      to += count * p_.taps * lanes;
    }
  }

  // to[word][tap] <-- one output channel's weights[channel][tap]
  void pack_words(const uint8_t* from, int32_t zero, int64_t word, int64_t count, int32_t* to) const {
    const DType dtype = p_.plan.weight_dtype;
    const WordFormat format = quads_ ? WordFormat::quads(*p_.kernels, dtype, zero, true)
                                     : WordFormat::pairs(*p_.kernels, dtype, zero);
    // Channels that are not there must have weights of 0.
    const uint8_t nothing = quads_ ? static_cast<uint8_t>(format.flip) : format.padding;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t c = (word + i) * format.factors;
      if (p_.taps < 4 || c + format.factors > p_.channels) {
        for (int64_t t = 0; t < p_.taps; ++t) {
          uint8_t bytes[4] = {nothing, nothing, nothing, nothing};
          for (int64_t k = 0; k < format.factors && c + k < p_.channels; ++k)
            bytes[k] = from[(c + k) * p_.taps + t];
          to[i * p_.taps + t] = word_of(format, bytes);
        }
      } else {
        IntegerLine line = {{}, p_.taps, format.flip, format.zero_point, to + i * p_.taps};
        for (int64_t k = 0; k < format.factors; ++k) line.rows[k] = from + (c + k) * p_.taps;
        format.line(line);
      }
    }
  }

  static int32_t word_of(const WordFormat& format, const uint8_t (&bytes)[4]) {
    uint32_t word = 0;
    if (format.factors == 4) {
      for (int k = 0; k < 4; ++k) word |= static_cast<uint32_t>(bytes[k]) << 8 * k;
      return static_cast<int32_t>(word ^ static_cast<uint32_t>(format.flip));
    }
    for (int k = 0; k < 2; ++k) {
      const uint32_t value =
          static_cast<uint32_t>(bytes[k] ^ format.flip) - static_cast<uint32_t>(format.zero_point);
      word |= (value & 0xffffu) << 16 * k;
    }
    return static_cast<int32_t>(word);
  }

  // What is added to the sums of a group's channels, and what they are multiplied by. With quads, of x and w
  // as the kernels read them and their zero points zx and zw:
  //   sum of (x - zx) (w - zw) = sum of x w - zw * sum of x - zx * sum of (w - zw)
  void pack_lanes(const uint8_t* weight, const int32_t* zeros, const int32_t* bias, const double* multipliers,
                  int64_t g) {
    const int64_t lane0 = g * padded_channels_, products = p_.channels * p_.taps;
    const bool is_signed = p_.plan.weight_dtype == DType::i8;
    for (int64_t c = 0; c < padded_channels_; ++c) {
      int32_t offset = 0, weight_zero = 0;
      double multiplier = 0;
      if (c < p_.out_channels) {
        const int64_t o = g * p_.out_channels + c;
        if (quads_) {
          const int64_t sum = is_signed
                                  ? sum_of(reinterpret_cast<const int8_t*>(weight) + o * products, products)
                                  : sum_of(weight + o * products, products);
          const uint64_t centred = static_cast<uint64_t>(sum) -
                                   static_cast<uint64_t>(products) * static_cast<uint64_t>(int64_t{zeros[o]});
          offset = wrapped(-static_cast<uint64_t>(int64_t{input_format_.zero_point}) * centred);
          weight_zero =
              wrapped(static_cast<uint64_t>(int64_t{zeros[o]}) +
                      static_cast<uint64_t>(int64_t{WordFormat::shift(p_.plan.weight_dtype, true)}));
        }
        if (bias != nullptr)
          offset = wrapped(static_cast<uint64_t>(int64_t{offset}) + static_cast<uint64_t>(int64_t{bias[o]}));
        if (p_.scaled) multiplier = multipliers[o];
      }
      set_channel(lane0 + c, offset, weight_zero, multiplier);
    }
  }

  template <typename T>
  static int64_t sum_of(const T* values, int64_t count) {
    int64_t sum = 0;
    while (count > 0) {
      const int64_t part = std::min<int64_t>(count, 1 << 20);
      int32_t part_sum = 0;
      for (int64_t i = 0; i < part; ++i) part_sum += values[i];
      sum += part_sum;
      values += part;
      count -= part;
    }
    return sum;
  }

  // One vector of output channels, all of whose weights are 1: its sums are those of the input.
  void pack_ones() {
    ones_ = AlignedArray<int32_t>(words_ * p_.taps * blocking_.lanes);
    int32_t* to = ones_.data();
    for (int64_t word = 0; word < words_; ++word) {
      const int64_t there = std::min<int64_t>(4, p_.channels - 4 * word);
      const auto value = static_cast<int32_t>(0x01010101u >> 8 * (4 - there));
      for (int64_t i = 0; i < p_.taps * blocking_.lanes; ++i) *to++ = value;
    }
  }

  PanelSharing share() const override {
    const double words_per_pixel =
        static_cast<double>(padded_channels_ * std::max<int64_t>(words_, 1)) * static_cast<double>(p_.taps);
    const auto fits = [this](int64_t rows, int64_t columns) {
      return frame_elements(p_.axis, words_, rows, columns, 1) * static_cast<int64_t>(sizeof(int32_t)) <=
             kChunkFrameBytes;
    };
    return share_panels(outputs(), words_per_pixel / p_.kernels->f32.gemm_blocking.fma_per_ns,
                        blocking_.max_pixels(static_cast<int32_t>(vectors_of(0))), fits);
  }

  void run_chunk(const Chunk& chunk) const override {
    const OutputBlock block = {chunk.depth, chunk.row, chunk.rows, chunk.column, chunk.columns};
    ArenaFrame arena;
    const InputView<int32_t> view = view_words(*p_.kernels, input_format_, p_.plan.conv.padding_mode, p_.axis,
                                               chunk.input, p_.channels, false, block, arena);
    DirectTap* const taps = arena.take<DirectTap>(block_words_ * p_.taps);
    int32_t* const sums = arena.take<int32_t>(kMaxIntegerPixels * width());
    int32_t* const input_sums = needs_input_sums_ ? arena.take<int32_t>(block.rows * block.columns) : nullptr;
    if (needs_input_sums_) sum_inputs(view, block, taps, sums, input_sums);

    int64_t listed_width = 0;
    for (int64_t panel = chunk.first_panel; panel < chunk.end_panel; ++panel) {
      const int64_t vectors = vectors_of(panel), lanes = vectors * blocking_.lanes, first = panel * width();
      if (listed_width != lanes) list_taps(view, lanes, taps);
      listed_width = lanes;
      const int64_t lane0 = chunk.group * padded_channels_ + first;
      const IntegerTile tile = tile_of(view, lanes, weights_.data() + lane0 * words_ * p_.taps, taps, sums);
      IntegerFinish finish;
      finish.sums = sums;
      finish.vectors = static_cast<int32_t>(vectors);
      finish.channels = std::min(lanes, p_.out_channels - first);
      finish.weight_zeros = weight_zeros(lane0);
      finish_with(finish, lane0);
      for_each_tile(view, block, vectors, tile, [&](int64_t i, int64_t j, int64_t pixels) {
        finish.pixels = static_cast<int32_t>(pixels);
        finish.input_sums = input_sums == nullptr ? nullptr : input_sums + i * block.columns + j;
        finish.y =
            p_.output_at(chunk.output, first * p_.out_plane() +
                                           (chunk.depth * p_.axis[1].out + chunk.row + i) * p_.axis[2].out +
                                           chunk.column + j);
        p_.kernels->integer.finish(finish);
      });
    }
  }

  // The taps of one block of words.
  void list_taps(const InputView<int32_t>& view, int64_t lanes, DirectTap* tap) const {
    for (int64_t c = 0; c < block_words_; ++c) {
      int64_t weight = c * p_.taps;
      for (int64_t p = 0; p < p_.axis[0].kernel; ++p) {
        for (int64_t q = 0; q < p_.axis[1].kernel; ++q) {
          const int64_t row = c * view.channel + p * view.tap_depth + q * view.tap_row;
          for (int64_t r = 0; r < p_.axis[2].kernel; ++r)
            *tap++ = {row + view.tap_column[r], weight++ * lanes};
        }
      }
    }
  }

  IntegerTile tile_of(const InputView<int32_t>& view, int64_t lanes, const int32_t* weights,
                      const DirectTap* taps, int32_t* sums) const {
    const int64_t blocks = ceil_div(words_, block_words_);
    return {nullptr,
            weights,
            taps,
            blocks,
            block_words_ * p_.taps,
            (words_ - (blocks - 1) * block_words_) * p_.taps,
            block_words_ * view.channel,
            block_words_ * p_.taps * lanes,
            sums};
  }

  // Sums each tile and hands it to `finish(row, column, pixels)`. Rows are split evenly: 56 pixels are 4
  // tiles of 14.
  template <class Finish>
  void for_each_tile(const InputView<int32_t>& view, const OutputBlock& block, int64_t vectors,
                     IntegerTile tile, Finish&& finish) const {
    const int64_t tiles = ceil_div(block.columns, blocking_.max_pixels(static_cast<int32_t>(vectors)));
    const int64_t narrow = block.columns / tiles, wide_tiles = block.columns % tiles;
    for (int64_t i = 0; i < block.rows; ++i) {
      int64_t column = 0;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t pixels = narrow + (t < wide_tiles ? 1 : 0);
        tile.x = view.origin + i * view.out_row + column;
        tile_(static_cast<int>(vectors), static_cast<int>(pixels), tile);
        finish(i, column, pixels);
        column += pixels;
      }
    }
  }

  // input_sums[row][column]
  void sum_inputs(const InputView<int32_t>& view, const OutputBlock& block, DirectTap* taps, int32_t* sums,
                  int32_t* input_sums) const {
    list_taps(view, blocking_.lanes, taps);
    const IntegerTile tile = tile_of(view, blocking_.lanes, ones_.data(), taps, sums);
    for_each_tile(view, block, 1, tile, [&](int64_t i, int64_t j, int64_t pixels) {
      for (int64_t p = 0; p < pixels; ++p) input_sums[i * block.columns + j + p] = sums[p * blocking_.lanes];
    });
  }

  const DirectBlocking blocking_;
  const bool quads_;
  const WordFormat input_format_;
  IntegerTileFn* const tile_;
  const int64_t words_;  // of a group's input channels
  int64_t block_words_;
  AlignedArray<int32_t> weights_, ones_;
};

}  // namespace

std::shared_ptr<const PackedIntegerConv> pack_integer_lanes(const Context& context,
                                                            const IntegerConvPlan& plan,
                                                            const uint8_t* weight, const int32_t* zeros,
                                                            const int32_t* bias, const double* multipliers) {
  return std::make_shared<LaneConv>(context, plan, weight, zeros, bias, multipliers);
}

}  // namespace convmat
