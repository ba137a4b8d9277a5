// Integer convolution: which way a geometry goes.
#include "integer/conv.h"

#include "integer/ways.h"
#include "plan/arith.h"
#include "runtime/tile_unit.h"
#include "table/table.h"

namespace convmat {

// A tile costs the same however few of its lines and bytes are used.
bool worth_integer_tiles(const Context& context, const IntegerConvPlan& plan) {
  const TileKernels* const tiles = context.kernels->integer.tiles;
  if (tiles == nullptr) return false;
  const ConvPlan& conv = plan.conv;
  const int64_t channels = conv.in_channels / conv.groups * (folds_columns(plan) ? conv.axis[2].kernel : 1);
  const int64_t out_channels = conv.out_channels / conv.groups;
  const double pixels =
      static_cast<double>(conv.axis[0].out * conv.axis[1].out) * static_cast<double>(conv.axis[2].out);
  // In quads of bytes. The unit does 64 in the time that vectors of 16 take for 6 of them.
  constexpr double kGain = 4;
  const auto filled = [](int64_t count, int64_t tile) {
    return static_cast<double>(count) / static_cast<double>(round_up(count, tile));
  };
  if (channels == 0 || out_channels == 0 || pixels == 0) return false;
  const double used = filled(channels, kTileDepth) * filled(out_channels, kTileLanes) *
                      (pixels < kTileLanes ? pixels / static_cast<double>(kTileLanes) : 1.0);
  if (used * kGain < 1) return false;
  return !tiles->need_permission || tiles_permitted();
}

std::shared_ptr<const PackedIntegerConv> pack_integer_conv(const Context& context,
                                                           const IntegerConvPlan& plan, const void* weight,
                                                           const int32_t* weight_zero_points,
                                                           const int32_t* bias, const double* multipliers) {
  const auto* const bytes = static_cast<const uint8_t*>(weight);
  // Below a vector of output channels, lanes would lie idle.
  const bool by_rows = plan.conv.in_channels == plan.conv.groups &&
                       plan.conv.out_channels / plan.conv.groups < context.kernels->integer.blocking.lanes;
  if (by_rows) return pack_integer_rows(context, plan, bytes, weight_zero_points, bias, multipliers);
  if (worth_integer_tiles(context, plan)) {
    return pack_integer_tiles(context, plan, bytes, weight_zero_points, bias, multipliers);
  }
  return pack_integer_lanes(context, plan, bytes, weight_zero_points, bias, multipliers);
}

}  // namespace convmat
