// Fixed-point convolution, as JavaScript calls it.
#pragma once

#include "door/call.h"

namespace convmat::door {

// fixedConv2(plan, image, kernel, out): arrays of stored integers.
void fixed_conv2(const Call& call);

// storeFixed(part, part | null, part | null, part | null, places, addends, factor, low, high, out):
// FixedSums, whose parts are as long as `out`; there are one, two or all of them.
void store_fixed(const Call& call);
// splitWords(words of 16 bits, low bytes, high bytes)
void split_words(const Call& call);

}  // namespace convmat::door
