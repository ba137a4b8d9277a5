// Integer convolution of groups of one input channel, pixels on the lanes.
#include <algorithm>

#include "integer/frame.h"
#include "integer/problem.h"
#include "integer/ways.h"
#include "plan/arith.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"

namespace convmat {
namespace {

class RowConv final : public PackedIntegerConv {
 public:
  RowConv(const Context& context, const IntegerConvPlan& plan, const uint8_t* weight, const int32_t* zeros,
          const int32_t* bias, const double* multipliers)
      : p_(context, plan, multipliers != nullptr),
        input_format_(WordFormat::pairs(*p_.kernels, plan.conv.dtype, plan.input_zero_point)),
        pairs_(ceil_div(p_.axis[1].kernel, 2)),
        words_(p_.axis[0].kernel * pairs_ * p_.axis[2].kernel),
        weights_(plan.conv.out_channels * words_),
        bias_(plan.conv.out_channels),
        multipliers_(p_.scaled ? plan.conv.out_channels : 0) {
    const int64_t depths = p_.axis[0].kernel, rows = p_.axis[1].kernel, columns = p_.axis[2].kernel;
    const bool is_signed = plan.weight_dtype == DType::i8;
    int32_t* to = weights_.data();
    for (int64_t o = 0; o < plan.conv.out_channels; ++o) {
      const auto at = [&](int64_t p, int64_t q, int64_t r) -> uint32_t {
        if (q >= rows) return 0;
        const uint8_t byte = weight[((o * depths + p) * rows + q) * columns + r];
        const int32_t value = is_signed ? static_cast<int8_t>(byte) : byte;
        return static_cast<uint32_t>(value) - static_cast<uint32_t>(zeros[o]);
      };
      for (int64_t p = 0; p < depths; ++p) {
        for (int64_t q = 0; q < rows; q += 2) {
          for (int64_t r = 0; r < columns; ++r) {
            *to++ = static_cast<int32_t>((at(p, q, r) & 0xffffu) | at(p, q + 1, r) << 16);
          }
        }
      }
      bias_.data()[o] = bias != nullptr ? bias[o] : 0;
      if (p_.scaled) multipliers_.data()[o] = multipliers[o];
    }
  }

  size_t bytes() const override {
    return sizeof(*this) + weights_.bytes() + bias_.bytes() + multipliers_.bytes();
  }

  void run(const Context& context, const void* input, void* output) const override {
    const ConvPlan& plan = p_.plan.conv;
    const Sharing s = share();
    const int64_t chunks =
        plan.batch * s.group_parts * p_.axis[0].out * s.blocks.row_blocks * s.blocks.column_blocks;
    parallel_for(chunks, s.cost_ns, [&](int64_t i) {
      if (context.is_cancelled()) return;
      run_chunk(s, static_cast<const uint8_t*>(input), output, i);
    });
  }

 private:
  struct Sharing {
    OutputBlocks blocks;
    int64_t group_parts;  // groups are dealt out to so many chunks
    double cost_ns;
  };
  Sharing share() const {
    Sharing s;
    const ConvPlan& plan = p_.plan.conv;
    // A row of outputs is also read, scaled and written: about as much work as 8 taps.
    const double words_per_pixel = static_cast<double>(p_.out_channels) * static_cast<double>(words_ + 8);
    const double images = static_cast<double>(plan.batch) * static_cast<double>(plan.groups * p_.axis[0].out);
    const double per_ns = p_.kernels->f32.gemm_blocking.fma_per_ns;
    const double image_ns =
        static_cast<double>(p_.axis[1].out) * static_cast<double>(p_.axis[2].out) * words_per_pixel / per_ns;
    s.cost_ns = images * image_ns;
    const auto fits = [this](int64_t rows, int64_t columns) {
      return frame_elements(p_.axis, 1, rows, columns, 1) * static_cast<int64_t>(sizeof(int32_t)) <=
             kChunkFrameBytes;
    };
    s.blocks = OutputBlocks::make(p_.axis, 4 * p_.kernels->integer.blocking.lanes,
                                  chunk_ns(s.cost_ns) * per_ns / words_per_pixel, fits);
    const double groups =
        std::clamp(chunk_ns(s.cost_ns) / std::max(image_ns, 1.0), 1.0, static_cast<double>(plan.groups));
    s.group_parts = ceil_div(plan.groups, static_cast<int64_t>(groups));
    return s;
  }

  void run_chunk(const Sharing& s, const uint8_t* input, void* output, int64_t index) const {
    const ConvPlan& plan = p_.plan.conv;
    const auto next = [&index](int64_t count) {
      const int64_t i = index % count;
      index /= count;
      return i;
    };
    const int64_t column = next(s.blocks.column_blocks) * s.blocks.columns;
    const int64_t row = next(s.blocks.row_blocks) * s.blocks.rows;
    const OutputBlock block = {next(p_.axis[0].out), row, std::min(s.blocks.rows, p_.axis[1].out - row),
                               column, std::min(s.blocks.columns, p_.axis[2].out - column)};
    const int64_t part = next(s.group_parts), image = index;
    if (block.rows <= 0 || block.columns <= 0) return;

    const int64_t end_group = (part + 1) * plan.groups / s.group_parts;
    for (int64_t group = part * plan.groups / s.group_parts; group < end_group; ++group) {
      ArenaFrame arena;
      const InputView<int32_t> view =
          view_words(*p_.kernels, input_format_, plan.padding_mode, p_.axis,
                     input + (image * plan.in_channels + group) * p_.in_plane(), 1, true, block, arena);
      int64_t* const offsets = arena.take<int64_t>(words_);
      int64_t* offset = offsets;
      for (int64_t p = 0; p < p_.axis[0].kernel; ++p) {
        for (int64_t q = 0; q < p_.axis[1].kernel; q += 2) {
          for (int64_t r = 0; r < p_.axis[2].kernel; ++r) {
            *offset++ = p * view.tap_depth + q * view.tap_row + view.tap_column[r];
          }
        }
      }
      for (int64_t o = group * p_.out_channels; o < (group + 1) * p_.out_channels; ++o) {
        IntegerRow line;
        line.offsets = offsets;
        line.w = weights_.data() + o * words_;
        line.taps = words_;
        line.count = block.columns;
        line.bias = bias_.data()[o];
        line.scaled = p_.scaled;
        line.in_float = p_.plan.scaled_in_float;
        line.multiplier = p_.scaled ? multipliers_.data()[o] : 0;
        line.zero_point = p_.zero_point;
        line.flip = p_.flip;
        for (int64_t i = 0; i < block.rows; ++i) {
          line.x = view.origin + i * view.out_row;
          line.y =
              p_.output_at(output, (image * plan.out_channels + o) * p_.out_plane() +
                                       (block.depth * p_.axis[1].out + block.first_row + i) * p_.axis[2].out +
                                       block.first_column);
          p_.kernels->integer.row(line);
        }
      }
    }
  }

  const IntegerProblem p_;
  const WordFormat input_format_;
  const int64_t pairs_;            // of rows of taps
  const int64_t words_;            // of a kernel
  AlignedArray<int32_t> weights_;  // [output channel][depth][pair of rows][column]
  AlignedArray<int32_t> bias_;
  AlignedArray<double> multipliers_;
};

}  // namespace

std::shared_ptr<const PackedIntegerConv> pack_integer_rows(const Context& context,
                                                           const IntegerConvPlan& plan, const uint8_t* weight,
                                                           const int32_t* zeros, const int32_t* bias,
                                                           const double* multipliers) {
  return std::make_shared<RowConv>(context, plan, weight, zeros, bias, multipliers);
}

}  // namespace convmat
