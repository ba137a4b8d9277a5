// Interleaved pixels to planes of floats, and back.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"
#include "table/pixels.h"

namespace convmat {

// planes[plane][pixel] <-- (value * scale - mean) * inverse_std, in double, rounded once to float. dtype is
// u8, u16 or f32, channels 1 .. 4; alpha is a channel, or -1 where no plane is premultiplied.
struct FromPixels {
  DType dtype;
  int64_t count;  // pixels
  int32_t channels, alpha;
  double largest;
  const PlaneSource* planes;
  int32_t plane_count;
};
void from_pixels(const Context&, const FromPixels&, const void* pixels, float* planes);

// pixels[pixel][channel] <-- value * scale + offset, in double; for integers rounded half to even and
// saturated, NaN becoming 0. With an alpha channel the others are divided by the share of `largest` that it
// holds first, and are 0 where it is 0. planes are f32 or f64, channels 1 .. 4.
struct ToPixels {
  DType from, to;
  int64_t count;
  int32_t channels, alpha;
  double largest, scale, offset;
};
void to_pixels(const Context&, const ToPixels&, const void* planes, void* pixels);

}  // namespace convmat
