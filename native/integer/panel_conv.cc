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
  for_each_chunk(context, outputs(), share(), [&](const PanelChunk& of) {
    Chunk chunk{of, nullptr, nullptr};
    chunk.input = static_cast<const uint8_t*>(input) + (of.image * plan.groups + of.group) * group_bytes_;
    chunk.output =
        p_.output_at(output, (of.image * plan.out_channels + of.group * p_.out_channels) * p_.out_plane());
    run_chunk(chunk);
  });
}

}  // namespace convmat
