// Fixed-point convolution of planes, on stored integers.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// The narrowest integers that hold the word.
DType word_dtype(const FixedConvPlan&);

void fixed_conv2(const Context&, const FixedConvPlan&, DType image_dtype, const void* image,
                 DType kernel_dtype, const void* kernel, void* out);

// Sums of products of words, of the words' bytes: see FixedStore, of each of `planes` planes of `places`,
// whose addend is addends[plane % channels]. low and high are of int32, and `out` holds them.
struct FixedSums {
  const int32_t* parts[4];
  int32_t part_count;
  int64_t planes, places, channels;
  const double* addends;
  double factor, low, high;
};
void store_fixed(const Context&, const FixedSums&, DType out_dtype, void* out);

// low[i] + high[i] * 2^8 <-- words[i]; the high bytes are signed where the words are.
void split_words(const Context&, int64_t count, const void* words, void* low, void* high);

}  // namespace convmat
