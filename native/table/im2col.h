// Panels of the lowered matrix, packed straight from the image.
#pragma once

#include <cstdint>

namespace convmat {

// A stretch of one row of a packed panel of im2col: `count` columns from `column` on. Column i holds
// image[offset + i * step] where bit i of `valid` is set, and 0 elsewhere.
struct PanelSegment {
  int32_t column, count;
  int64_t offset;
  uint64_t valid;
};
constexpr int kMaxPanelColumns = 64;  // bits of `valid`

// panel[channel][tap][columns] <-- image. The taps' segments do not depend on the channel.
template <typename T>
struct Im2colPanel {
  const T* image;  // of the first channel
  int64_t channels, channel_stride;
  int64_t taps;
  const int32_t* tap_begin;  // [taps + 1]: where each tap's segments begin; they ascend and cover the columns
  const PanelSegment* segments;
  int64_t step;  // distance in the image between neighbouring columns
  T* panel;  // rows `ld` apart; up to a vector's length beyond a row's end is overwritten, the last row's too
  int64_t ld;
};
template <typename T>
using Im2colPanelFn = void(const Im2colPanel<T>& panel);

}  // namespace convmat
