// Integer convolution: which way a geometry goes.
#include "integer/conv.h"

#include "integer/ways.h"
#include "table/table.h"

namespace convmat {

std::shared_ptr<const PackedIntegerConv> pack_integer_conv(const Context& context,
                                                           const IntegerConvPlan& plan, const void* weight,
                                                           const int32_t* weight_zero_points,
                                                           const int32_t* bias, const double* multipliers) {
  const auto* const bytes = static_cast<const uint8_t*>(weight);
  // Below a vector of output channels, lanes would lie idle.
  const bool by_rows = plan.conv.in_channels == plan.conv.groups &&
                       plan.conv.out_channels / plan.conv.groups < context.kernels->integer.blocking.lanes;
  if (by_rows) return pack_integer_rows(context, plan, bytes, weight_zero_points, bias, multipliers);
  return pack_integer_lanes(context, plan, bytes, weight_zero_points, bias, multipliers);
}

}  // namespace convmat
