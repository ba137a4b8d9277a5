// Interleaved pixels to planes of floats, and back.
#pragma once

#include <cstdint>

namespace convmat {

// What a plane is made of: a channel of the pixels, or the luma of the first three.
constexpr int32_t kLuma = -1;
struct PlaneSource {
  int32_t channel;
  bool is_premultiplied;  // by the share of `largest` that the alpha channel holds
  double scale, mean, inverse_std;
};

// planes[plane][pixel] <-- (value * scale - mean) * inverse_std, in double, rounded once to float; planes lie
// plane_step apart. A pixel has 1 .. 4 channels of value_bytes each: 1 is uint8, 2 uint16, 4 float. `alpha`
// is one of them, or -1 where no plane is premultiplied.
struct PlanesOfPixels {
  const void* pixels;
  int64_t count;
  int32_t value_bytes, channels, alpha;
  double largest;
  const PlaneSource* sources;
  int32_t plane_count;
  float* planes;
  int64_t plane_step;
};
using PlanesOfPixelsFn = void(const PlanesOfPixels&);

// pixels[pixel][channel] <-- value * scale + offset, in double; for integers rounded half to even and
// saturated, NaN becoming 0. With an alpha channel (-1: none) the others are divided by the share of
// `largest` that it holds first, and are 0 where it is 0.
template <typename T>
struct PixelsOfPlanes {
  const T* planes;
  int64_t plane_step, count;
  int32_t value_bytes, channels, alpha;
  double largest, scale, offset;
  void* pixels;
};
template <typename T>
using PixelsOfPlanesFn = void(const PixelsOfPlanes<T>&);

}  // namespace convmat
