// The points at which Winograd's tiles are evaluated, beside infinity. F(2, 3): 0, 1, -1. F(4, 3): 0, +-5/8,
// +-3/2, which halve the error of the textbook's 0, +-1, +-2: their powers stay near one another. All are
// short binary fractions, so that no constant of the transforms is rounded.
#pragma once

namespace convmat {

constexpr double kWinogradNear = 0.625, kWinogradFar = 1.5;

}  // namespace convmat
