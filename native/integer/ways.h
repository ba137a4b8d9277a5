// The ways of integer convolution, between which pack_integer_conv chooses. Operands as there.
#pragma once

#include <cstdint>
#include <memory>

#include "integer/conv.h"

namespace convmat {

// Output channels on the lanes, by the direct kernels: any geometry.
std::shared_ptr<const PackedIntegerConv> pack_integer_lanes(const Context&, const IntegerConvPlan&,
                                                            const uint8_t* weight, const int32_t* zeros,
                                                            const int32_t* bias, const double* multipliers);

// Pixels on the lanes: for groups of one input channel.
std::shared_ptr<const PackedIntegerConv> pack_integer_rows(const Context&, const IntegerConvPlan&,
                                                           const uint8_t* weight, const int32_t* zeros,
                                                           const int32_t* bias, const double* multipliers);

// Whether the taps of a row go along the channels of a tile's line: a few channels leave most of it empty.
bool folds_columns(const IntegerConvPlan&);

// Whether tiles take less time than lanes, and the system grants them.
bool worth_integer_tiles(const Context&, const IntegerConvPlan&);

// Tiles, whose unit the kernels must have and the process may use: any geometry, though below 32 channels or
// 16 pixels they lie idle.
std::shared_ptr<const PackedIntegerConv> pack_integer_tiles(const Context&, const IntegerConvPlan&,
                                                            const uint8_t* weight, const int32_t* zeros,
                                                            const int32_t* bias, const double* multipliers);

}  // namespace convmat
