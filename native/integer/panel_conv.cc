#include "integer/panel_conv.h"

namespace convmat {

PanelConv::PanelConv(const Context& context, const IntegerConvPlan& plan, bool scaled,
                     int64_t padded_channels, int64_t panels)
    : p_(context, plan, scaled),
      padded_channels_(padded_channels),
      panels_(panels),
      group_bytes_(p_.channels * p_.in_plane()) {
  const int64_t lanes = plan.conv.groups * padded_channels;
  offsets_ = AlignedArray<int32_t>(lanes);
  weight_zeros_ = AlignedArray<int32_t>(lanes);
  if (scaled && plan.scaled_in_float) float_multipliers_ = AlignedArray<float>(lanes);
  if (scaled && !plan.scaled_in_float) multipliers_ = AlignedArray<double>(lanes);
}

size_t PanelConv::bytes() const {
  return sizeof(*this) + weight_bytes() + offsets_.bytes() + weight_zeros_.bytes() + multipliers_.bytes() +
         float_multipliers_.bytes();
}

void PanelConv::set_channel(int64_t lane, int32_t offset, int32_t weight_zero, double multiplier) {
  offsets_.data()[lane] = offset;
  weight_zeros_.data()[lane] = weight_zero;
  needs_input_sums_ = needs_input_sums_ || weight_zero != 0;
  if (multipliers_.size() > 0) multipliers_.data()[lane] = multiplier;
  if (float_multipliers_.size() > 0) float_multipliers_.data()[lane] = static_cast<float>(multiplier);
}

void PanelConv::run(const Context& context, const void* input, void* output) const {
  const ConvPlan& plan = p_.plan.conv;
  const Sharing s = share();
  const int64_t chunks = plan.batch * plan.groups * p_.axis[0].out * s.panel_parts * s.blocks.row_blocks *
                         s.blocks.column_blocks;
  parallel_for(chunks, s.cost_ns, [&](int64_t index) {
    if (context.is_cancelled()) return;
    const auto next = [&index](int64_t count) {
      const int64_t i = index % count;
      index /= count;
      return i;
    };
    Chunk chunk;
    const int64_t part = next(s.panel_parts);
    chunk.first_panel = part * panels_ / s.panel_parts;
    chunk.end_panel = (part + 1) * panels_ / s.panel_parts;
    chunk.column = next(s.blocks.column_blocks) * s.blocks.columns;
    chunk.row = next(s.blocks.row_blocks) * s.blocks.rows;
    chunk.depth = next(p_.axis[0].out);
    chunk.rows = std::min(s.blocks.rows, p_.axis[1].out - chunk.row);
    chunk.columns = std::min(s.blocks.columns, p_.axis[2].out - chunk.column);
    chunk.group = next(plan.groups);
    if (chunk.rows <= 0 || chunk.columns <= 0) return;
    const int64_t image = index;
    chunk.input = static_cast<const uint8_t*>(input) + (image * plan.groups + chunk.group) * group_bytes_;
    chunk.output =
        p_.output_at(output, (image * plan.out_channels + chunk.group * p_.out_channels) * p_.out_plane());
    run_chunk(chunk);
  });
}

}  // namespace convmat
