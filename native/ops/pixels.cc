#include "ops/pixels.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// Pixels of a chunk of work, and of what is converted before it is written: 64 KiB of doubles.
constexpr int64_t kChunk = 1 << 14;
constexpr int64_t kBlock = 1 << 11;
constexpr double kNsPerValue = 0.7;
// Rec. 709.
constexpr double kLumaRed = 0.2126, kLumaGreen = 0.7152, kLumaBlue = 0.0722;

template <class Body>
void by_chunks(const Context& context, int64_t count, int64_t values, const Body& body) {
  parallel_for(ceil_div(count, kChunk), kNsPerValue * static_cast<double>(count * values),
               [&](int64_t chunk) {
                 if (context.is_cancelled()) return;
                 body(chunk * kChunk, std::min(count, (chunk + 1) * kChunk));
               });
}

double planar_value(const PlaneSource& plane, double value) {
  return (value * plane.scale - plane.mean) * plane.inverse_std;
}

// Of one value that is a byte there are 256 results.
using Table = std::vector<float>;
Table table_of(const PlaneSource& plane) {
  Table table(256);
  for (int value = 0; value < 256; ++value)
    table[static_cast<size_t>(value)] = static_cast<float>(planar_value(plane, value));
  return table;
}

template <int Channels>
void look_up(const uint8_t* pixels, int32_t channel, const float* table, int64_t first, int64_t end,
             float* plane) {
  const uint8_t* from = pixels + first * Channels + channel;
  for (int64_t i = first; i < end; ++i, from += Channels) plane[i] = table[*from];
}

void look_up(int32_t channels, const uint8_t* pixels, int32_t channel, const float* table, int64_t first,
             int64_t end, float* plane) {
  switch (channels) {
    case 1:
      return look_up<1>(pixels, channel, table, first, end, plane);
    case 2:
      return look_up<2>(pixels, channel, table, first, end, plane);
    case 3:
      return look_up<3>(pixels, channel, table, first, end, plane);
    default:
      return look_up<4>(pixels, channel, table, first, end, plane);
  }
}

template <typename T>
void convert_plane(const FromPixels& plan, const PlaneSource& plane, const T* pixels, int64_t first,
                   int64_t end, float* to) {
  const int32_t channels = plan.channels;
  for (int64_t i = first; i < end; ++i) {
    const T* const pixel = pixels + i * channels;
    double value = plane.channel == kLuma ? kLumaRed * pixel[0] + kLumaGreen * pixel[1] + kLumaBlue * pixel[2]
                                          : static_cast<double>(pixel[plane.channel]);
    if (plane.is_premultiplied) value = value * static_cast<double>(pixel[plan.alpha]) / plan.largest;
    to[i] = static_cast<float>(planar_value(plane, value));
  }
}

template <typename T>
void convert_pixels(const Context& context, const FromPixels& plan, const T* pixels, float* planes) {
  std::vector<Table> tables(static_cast<size_t>(plan.plane_count));
  if (std::is_same_v<T, uint8_t>) {
    for (int32_t p = 0; p < plan.plane_count; ++p) {
      const PlaneSource& plane = plan.planes[p];
      if (plane.channel != kLuma && !plane.is_premultiplied) tables[static_cast<size_t>(p)] = table_of(plane);
    }
  }
  by_chunks(context, plan.count, plan.plane_count, [&](int64_t begin, int64_t end) {
    // All planes of a block, while its pixels are in L1.
    for (int64_t first = begin; first < end; first += kBlock) {
      const int64_t last = std::min(end, first + kBlock);
      for (int32_t p = 0; p < plan.plane_count; ++p) {
        const PlaneSource& plane = plan.planes[p];
        const Table& table = tables[static_cast<size_t>(p)];
        float* const to = planes + p * plan.count;
        if (!table.empty()) {
          look_up(plan.channels, reinterpret_cast<const uint8_t*>(pixels), plane.channel, table.data(), first,
                  last, to);
        } else {
          convert_plane(plan, plane, pixels, first, last, to);
        }
      }
    }
  });
}

// Added to a value from 0 to 2^31, it leaves the integer next to it, half to even, in the lowest bits.
constexpr double kRounding = 6755399441055744.0;

// What is stored of values: integers stay beside kRounding until they are.
template <typename To>
double clamped(double value, double largest) {
  if constexpr (std::is_floating_point_v<To>) return value;
  value = value > 0 ? value : 0;
  return (value < largest ? value : largest) + kRounding;
}

template <typename To>
To stored(double clamped_value) {
  if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(clamped_value);
  } else {
    uint64_t bits;
    std::memcpy(&bits, &clamped_value, sizeof bits);
    return static_cast<To>(bits);
  }
}

template <typename From, typename To>
void convert_planes(const Context& context, const ToPixels& plan, const From* planes, To* pixels) {
  const double scale = plan.scale, offset = plan.offset, largest = plan.largest;
  const int64_t channels = plan.channels;
  by_chunks(context, plan.count, channels, [&](int64_t begin, int64_t end) {
    // Two loops, since compilers find vectors for the first alone.
    double block[kBlock];
    for (int64_t first = begin; first < end; first += kBlock) {
      const int64_t length = std::min(kBlock, end - first);
      const From* const alpha = plan.alpha < 0 ? nullptr : planes + plan.alpha * plan.count + first;
      for (int64_t c = 0; c < channels; ++c) {
        const From* const plane = planes + c * plan.count + first;
        if (alpha == nullptr || c == plan.alpha) {
          for (int64_t i = 0; i < length; ++i)
            block[i] = clamped<To>(static_cast<double>(plane[i]) * scale + offset, largest);
        } else {
          for (int64_t i = 0; i < length; ++i) {
            const double opacity = static_cast<double>(alpha[i]) * scale + offset;
            const double value = static_cast<double>(plane[i]) * scale + offset;
            block[i] = clamped<To>(opacity > 0 ? value * (largest / opacity) : 0, largest);
          }
        }
        To* to = pixels + first * channels + c;
        for (int64_t i = 0; i < length; ++i, to += channels) *to = stored<To>(block[i]);
      }
    }
  });
}

template <typename From>
void convert_from(const Context& context, const ToPixels& plan, const From* planes, void* pixels) {
  if (plan.to == DType::u8) return convert_planes(context, plan, planes, static_cast<uint8_t*>(pixels));
  if (plan.to == DType::u16) return convert_planes(context, plan, planes, static_cast<uint16_t*>(pixels));
  convert_planes(context, plan, planes, static_cast<float*>(pixels));
}

}  // namespace

void from_pixels(const Context& context, const FromPixels& plan, const void* pixels, float* planes) {
  if (plan.dtype == DType::u8)
    return convert_pixels(context, plan, static_cast<const uint8_t*>(pixels), planes);
  if (plan.dtype == DType::u16)
    return convert_pixels(context, plan, static_cast<const uint16_t*>(pixels), planes);
  convert_pixels(context, plan, static_cast<const float*>(pixels), planes);
}

void to_pixels(const Context& context, const ToPixels& plan, const void* planes, void* pixels) {
  dispatch_float(plan.from, [&](auto zero) {
    convert_from(context, plan, static_cast<const decltype(zero)*>(planes), pixels);
  });
}

}  // namespace convmat
