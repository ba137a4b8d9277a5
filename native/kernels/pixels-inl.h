// Interleaved pixels to planes and back: blocks of channels one after the other stay in L1 between the loop
// that takes pixels apart, or joins them, and the one that computes.
#pragma once

#include "table/pixels.h"

namespace convmat::CONVMAT_ISA {
namespace {

constexpr int64_t kPixelBlock = 1024;
// Floats of a cache line, and how far ahead of their use they are asked for: hardware does not foresee what
// is written, and stops at pages.
constexpr int64_t kPixelLine = 16, kPixelsAhead = 32 * kPixelLine;
// Rec. 709.
constexpr double kLumaRed = 0.2126, kLumaGreen = 0.7152, kLumaBlue = 0.0722;

template <int C, typename P>
CONVMAT_NOINLINE void split_channels(const P* CONVMAT_RESTRICT pixels, int64_t count,
                                     float* CONVMAT_RESTRICT channels) {
  int64_t i = 0;
  if constexpr (has_channels && sizeof(P) < sizeof(float)) {
    constexpr int lanes = Vec<float>::lanes;
    for (; i + lanes <= count; i += lanes) {
      Vec<float> values[C];
      load_channels(pixels + C * i, values);
      CONVMAT_UNROLL for (int c = 0; c < C; ++c) store(channels + c * kPixelBlock + i, values[c]);
    }
  }
  for (; i < count; ++i) {
    CONVMAT_UNROLL for (int c = 0; c < C; ++c) {
      channels[c * kPixelBlock + i] = static_cast<float>(pixels[C * i + c]);
    }
  }
}

template <typename P>
CONVMAT_INLINE void split_channels(int32_t count_of_channels, const void* given, int64_t first, int64_t count,
                                   float* channels) {
  const P* const pixels = static_cast<const P*>(given) + first * count_of_channels;
  switch (count_of_channels) {
    case 1:
      return split_channels<1>(pixels, count, channels);
    case 2:
      return split_channels<2>(pixels, count, channels);
    case 3:
      return split_channels<3>(pixels, count, channels);
    default:
      return split_channels<4>(pixels, count, channels);
  }
}

// A plane of a block whose channels lie kPixelBlock apart.
template <bool LUMA, bool PREMULTIPLIED>
CONVMAT_NOINLINE void fill_plane(const PlanesOfPixels& plan, const PlaneSource& source, const float* channels,
                                 int64_t count, float* to) {
  constexpr int lanes = Vec<double>::lanes;
  const float* const channel = channels + (LUMA ? 0 : source.channel * kPixelBlock);
  const float* const alpha = channels + (PREMULTIPLIED ? plan.alpha * kPixelBlock : 0);
  const double scale = source.scale, mean = source.mean, inverse_std = source.inverse_std;
  const double largest = plan.largest;
  int64_t i = 0;
  for (; i + kPixelLine <= count; i += kPixelLine) {
    CONVMAT_PREFETCH_WRITE(to + i + kPixelsAhead);
    CONVMAT_UNROLL for (int64_t k = i; k < i + kPixelLine; k += lanes) {
      Vec<double> value = load_widened(channel + k);
      if constexpr (LUMA) {
        value = add(mul(broadcast(kLumaRed), value),
                    mul(broadcast(kLumaGreen), load_widened(channel + kPixelBlock + k)));
        value = add(value, mul(broadcast(kLumaBlue), load_widened(channel + 2 * kPixelBlock + k)));
      }
      if constexpr (PREMULTIPLIED) value = div(mul(value, load_widened(alpha + k)), broadcast(largest));
      value = mul(sub(mul(value, broadcast(scale)), broadcast(mean)), broadcast(inverse_std));
      store_narrowed(to + k, value);
    }
  }
  for (; i < count; ++i) {
    double value = channel[i];
    if constexpr (LUMA) {
      value = kLumaRed * value + kLumaGreen * static_cast<double>(channel[kPixelBlock + i]);
      value = value + kLumaBlue * static_cast<double>(channel[2 * kPixelBlock + i]);
    }
    if constexpr (PREMULTIPLIED) value = value * static_cast<double>(alpha[i]) / largest;
    to[i] = static_cast<float>((value * scale - mean) * inverse_std);
  }
}

void planes_of_pixels(const PlanesOfPixels& plan) {
  alignas(64) float channels[4 * kPixelBlock];
  for (int64_t first = 0; first < plan.count; first += kPixelBlock) {
    const int64_t count = plan.count - first < kPixelBlock ? plan.count - first : kPixelBlock;
    if (plan.value_bytes == 1) {
      split_channels<uint8_t>(plan.channels, plan.pixels, first, count, channels);
    } else if (plan.value_bytes == 2) {
      split_channels<uint16_t>(plan.channels, plan.pixels, first, count, channels);
    } else {
      split_channels<float>(plan.channels, plan.pixels, first, count, channels);
    }
    for (int32_t p = 0; p < plan.plane_count; ++p) {
      const PlaneSource& source = plan.sources[p];
      float* const to = plan.planes + p * plan.plane_step + first;
      const auto fill = source.channel == kLuma
                            ? source.is_premultiplied ? fill_plane<true, true> : fill_plane<true, false>
                        : source.is_premultiplied ? fill_plane<false, true>
                                                  : fill_plane<false, false>;
      fill(plan, source, channels, count, to);
    }
  }
}

template <int C, typename V, typename P>
CONVMAT_NOINLINE void join_channels(const V* CONVMAT_RESTRICT channels, int64_t count,
                                    P* CONVMAT_RESTRICT pixels) {
  int64_t i = 0;
  if constexpr (has_channels && sizeof(P) < sizeof(float)) {
    constexpr int lanes = Vec<int32_t>::lanes;
    for (; i + lanes <= count; i += lanes) {
      Vec<int32_t> values[C];
      CONVMAT_UNROLL for (int c = 0; c < C; ++c) values[c] = load(channels + c * kPixelBlock + i);
      store_channels(pixels + C * i, values);
    }
  }
  for (; i < count; ++i) {
    CONVMAT_UNROLL for (int c = 0; c < C; ++c) {
      pixels[C * i + c] = static_cast<P>(channels[c * kPixelBlock + i]);
    }
  }
}

template <typename P, typename V>
CONVMAT_INLINE void join_channels(int32_t count_of_channels, const V* channels, int64_t first, int64_t count,
                                  void* given) {
  P* const pixels = static_cast<P*>(given) + first * count_of_channels;
  switch (count_of_channels) {
    case 1:
      return join_channels<1>(channels, count, pixels);
    case 2:
      return join_channels<2>(channels, count, pixels);
    case 3:
      return join_channels<3>(channels, count, pixels);
    default:
      return join_channels<4>(channels, count, pixels);
  }
}

CONVMAT_INLINE void store_value(float* p, Vec<double> value, double) { store_narrowed(p, value); }
CONVMAT_INLINE void store_value(int32_t* p, Vec<double> value, double largest) {
  store_rounded(p, min(max(value, zero<double>()), broadcast(largest)));
}
CONVMAT_INLINE void store_value(float* p, double value, double) { *p = static_cast<float>(value); }
CONVMAT_INLINE void store_value(int32_t* p, double value, double largest) {
  // Added to a value from 0 to 2^31 and taken away again, it leaves no bits for a fraction.
  constexpr double no_fraction = 6755399441055744.0;  // 1.5 * 2^52
  value = value > 0 ? value : 0;
  *p = static_cast<int32_t>((value < largest ? value : largest) + no_fraction - no_fraction);
}

// A channel of a block, as floats or as integers that are in range; ALPHA: of colours, which it divides.
template <bool ALPHA, typename T, typename V>
CONVMAT_NOINLINE void fill_channel(const PixelsOfPlanes<T>& plan, const T* plane, const T* alpha,
                                   int64_t count, V* to) {
  constexpr int lanes = Vec<double>::lanes;
  const double scale = plan.scale, offset = plan.offset, largest = plan.largest;
  int64_t i = 0;
  for (; i + kPixelLine <= count; i += kPixelLine) {
    for (size_t ahead = 0; ahead < sizeof(T) / sizeof(float); ++ahead)
      CONVMAT_PREFETCH(plane + i + kPixelsAhead + ahead * kPixelLine / 2);
    CONVMAT_UNROLL for (int64_t k = i; k < i + kPixelLine; k += lanes) {
      Vec<double> value = add(mul(load_widened(plane + k), broadcast(scale)), broadcast(offset));
      if constexpr (ALPHA) {
        const Vec<double> opacity = add(mul(load_widened(alpha + k), broadcast(scale)), broadcast(offset));
        const Vec<double> divided = mul(value, div(broadcast(largest), opacity));
        value = if_less(zero<double>(), opacity, divided, zero<double>());
      }
      store_value(to + k, value, largest);
    }
  }
  for (; i < count; ++i) {
    double value = static_cast<double>(plane[i]) * scale + offset;
    if constexpr (ALPHA) {
      const double opacity = static_cast<double>(alpha[i]) * scale + offset;
      value = opacity > 0 ? value * (largest / opacity) : 0;
    }
    store_value(to + i, value, largest);
  }
}

// V: what the channels of a block are computed as.
template <typename V, typename T>
CONVMAT_INLINE void fill_channels(const PixelsOfPlanes<T>& plan, int64_t first, int64_t count, V* channels) {
  for (int32_t c = 0; c < plan.channels; ++c) {
    const T* const plane = plan.planes + c * plan.plane_step + first;
    V* const to = channels + c * kPixelBlock;
    if (plan.alpha < 0 || c == plan.alpha) {
      fill_channel<false>(plan, plane, plane, count, to);
    } else {
      fill_channel<true>(plan, plane, plan.planes + plan.alpha * plan.plane_step + first, count, to);
    }
  }
}

template <typename T>
void pixels_of_planes(const PixelsOfPlanes<T>& plan) {
  alignas(64) int32_t integers[4 * kPixelBlock];
  alignas(64) float floats[4 * kPixelBlock];
  for (int64_t first = 0; first < plan.count; first += kPixelBlock) {
    const int64_t count = plan.count - first < kPixelBlock ? plan.count - first : kPixelBlock;
    if (plan.value_bytes == 4) {
      fill_channels(plan, first, count, floats);
      join_channels<float>(plan.channels, floats, first, count, plan.pixels);
    } else {
      fill_channels(plan, first, count, integers);
      if (plan.value_bytes == 1) {
        join_channels<uint8_t>(plan.channels, integers, first, count, plan.pixels);
      } else {
        join_channels<uint16_t>(plan.channels, integers, first, count, plan.pixels);
      }
    }
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
