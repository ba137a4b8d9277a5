// Windows over images whose channels lie in blocks of a vector's lanes, each channel by itself: depthwise
// convolution and pooling.
#pragma once

#include "plan/plan.h"
#include "runtime/context.h"
#include "table/blocked.h"

namespace convmat {

// What stands for padding is zero, or less than anything for a maximum.
struct BlockedWindows {
  BlockedWindowOp op;
  Axis height, width;  // the width's stride is 1 or 2, unless it has one output
  int64_t lanes;
  int64_t images, blocks;
  const float* x;  // [image][block][row][column][lane]
  float* y;
  const float* w = nullptr;     // [block][tap][lane]
  const float* bias = nullptr;  // [block][lane]
  float lo = 0, hi = 0;
  bool count_padding = false;  // a mean is over the whole window, not only what the image has of it
};

bool serves_blocked_windows(const Axis& height, const Axis& width);
void run_blocked_windows(const Context& context, const BlockedWindows& windows);

}  // namespace convmat
