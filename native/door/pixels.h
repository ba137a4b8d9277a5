// Pixels and planes: conversions in one go, and what a call of one brings.
#pragma once

#include <vector>

#include "door/call.h"
#include "door/conv.h"
#include "ops/pixels.h"

namespace convmat::door {

// A conversion with its operands: a plan that outlives the call which brought it.
struct FromPixelsJob {
  FromPixels plan;
  std::vector<PlaneSource> planes;
  const void* pixels;
  float* result;

  void run(const Context& context) {
    plan.planes = planes.data();
    convmat::from_pixels(context, plan, pixels, result);
  }
};

struct ToPixelsJob {
  ToPixels plan;
  const void* planes;
  void* result;

  void run(const Context& context) { convmat::to_pixels(context, plan, planes, result); }
};

// Pixels that are convolved: to planes, those by a prepared convolution, and to pixels again.
struct ConvolvePixelsJob {
  FromPixelsJob from;
  ToPixels to;
  void* result;
};

FromPixelsJob read_from_pixels(const Call& call);
ToPixelsJob read_to_pixels(const Call& call);
// Of (prepared, as fromPixels' first four, as toPixels' first five, pixels, result), for the convolution that
// is prepared.
ConvolvePixelsJob read_convolve_pixels(const Call& call, const ConvPlan& conv, const ConvLengths& lengths);

// fromPixels(channels, alpha | -1, largest, planes' numbers, pixels, planes): five numbers for each plane,
// its channel or -1 for luma, whether it is premultiplied, scale, mean and the inverse of the deviation.
void from_pixels(const Call& call);
// toPixels(channels, alpha | -1, largest, scale, offset, planes, pixels)
void to_pixels(const Call& call);

}  // namespace convmat::door
