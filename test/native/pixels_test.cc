// Pixels and planes against their definitions, a value at a time.
#include "ops/pixels.h"

#include <cmath>
#include <limits>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

constexpr double kLumaOf[3] = {0.2126, 0.7152, 0.0722};
// Of whole vectors and lines, none, parts of them; parts of blocks and chunks.
constexpr int64_t kCounts[] = {0, 1, 7, 15, 16, 17, 31, 64, 1024, 1049, 20011};

template <typename P>
std::vector<P> random_pixels(int64_t count, double largest, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<P> pixels(static_cast<size_t>(count));
  for (P& value : pixels) value = static_cast<P>(largest * (random() % 1001) / 1000);
  return pixels;
}

template <typename P>
void check_from(const KernelTable& kernels, DType dtype, double largest, int64_t count, int32_t channels,
                int32_t alpha) {
  const std::vector<P> pixels = random_pixels<P>(count * channels, largest, 5);
  std::vector<PlaneSource> sources;
  for (int32_t c = channels < 3 ? 0 : kLuma; c < channels; ++c) {
    for (const bool is_premultiplied : {false, true}) {
      if (is_premultiplied && alpha < 0) continue;
      sources.push_back({c, is_premultiplied, 1 / largest, 0.25 * c, 1.5});
    }
  }
  std::vector<float> planes(sources.size() * count, 77);
  from_pixels(Context{&kernels},
              {dtype, count, channels, alpha, largest, sources.data(), static_cast<int32_t>(sources.size())},
              pixels.data(), planes.data());
  for (size_t p = 0; p < sources.size(); ++p) {
    const PlaneSource& source = sources[p];
    for (int64_t i = 0; i < count; ++i) {
      const P* const pixel = pixels.data() + i * channels;
      double value = source.channel == kLuma
                         ? kLumaOf[0] * pixel[0] + kLumaOf[1] * pixel[1] + kLumaOf[2] * pixel[2]
                         : static_cast<double>(pixel[source.channel]);
      if (source.is_premultiplied) value = value * static_cast<double>(pixel[alpha]) / largest;
      const auto expected = static_cast<float>((value * source.scale - source.mean) * source.inverse_std);
      ASSERT_EQ(planes[p * count + i], expected) << "plane " << p << ", pixel " << i;
    }
  }
}

using Pixels = EachIsa;

TEST_P(Pixels, PlanesOfEveryKindOfPixels) {
  for (const int64_t count : kCounts) {
    for (int32_t channels = 1; channels <= 4; ++channels) {
      for (const int32_t alpha : {-1, channels - 1}) {
        check_from<uint8_t>(kernels(), DType::u8, 255, count, channels, alpha);
        check_from<uint16_t>(kernels(), DType::u16, 65535, count, channels, alpha);
        check_from<float>(kernels(), DType::f32, 1, count, channels, alpha);
      }
    }
  }
}

double stored(double value, double largest, bool is_integer) {
  if (!is_integer) return static_cast<float>(value);
  if (value != value) return 0;
  return std::nearbyint(std::min(std::max(value, 0.0), largest));  // half to even
}

template <typename T, typename P>
void check_to(const KernelTable& kernels, DType from, DType to, double largest, int64_t count,
              int32_t channels, int32_t alpha) {
  constexpr bool is_integer = !std::is_same_v<P, float>;
  std::mt19937 random(7);
  std::vector<T> planes(count * channels);
  // Steps of half a unit, some of them beyond both ends.
  const auto units = static_cast<uint32_t>(2 * largest + 20);
  for (T& value : planes) value = static_cast<T>((static_cast<double>(random() % units) / 2 - 5) / largest);
  if (is_integer && count > 3) {
    planes[0] = std::numeric_limits<T>::quiet_NaN();
    planes[1] = std::numeric_limits<T>::infinity();
    planes[2] = -std::numeric_limits<T>::infinity();
  }
  std::vector<P> pixels(planes.size(), P{77});
  to_pixels(Context{&kernels}, {from, to, count, channels, alpha, largest, largest, 0.5}, planes.data(),
            pixels.data());
  for (int64_t i = 0; i < count; ++i) {
    for (int32_t c = 0; c < channels; ++c) {
      double value = static_cast<double>(planes[c * count + i]) * largest + 0.5;
      if (alpha >= 0 && c != alpha) {
        const double opacity = static_cast<double>(planes[alpha * count + i]) * largest + 0.5;
        value = opacity > 0 ? value * (largest / opacity) : 0;
      }
      const double expected = stored(value, largest, is_integer);
      const auto got = static_cast<double>(pixels[i * channels + c]);
      ASSERT_TRUE(got == expected || (got != got && expected != expected))
          << got << ", expected " << expected << ": pixel " << i << ", channel " << c;
    }
  }
}

TEST_P(Pixels, PixelsOfEveryKindOfPlanes) {
  for (const int64_t count : kCounts) {
    for (int32_t channels = 1; channels <= 4; ++channels) {
      for (const int32_t alpha : {-1, channels - 1}) {
        check_to<float, uint8_t>(kernels(), DType::f32, DType::u8, 255, count, channels, alpha);
        check_to<double, uint8_t>(kernels(), DType::f64, DType::u8, 255, count, channels, alpha);
        check_to<float, uint16_t>(kernels(), DType::f32, DType::u16, 65535, count, channels, alpha);
        check_to<double, uint16_t>(kernels(), DType::f64, DType::u16, 65535, count, channels, alpha);
        check_to<double, float>(kernels(), DType::f64, DType::f32, 1, count, channels, alpha);
      }
    }
  }
}

CONVMAT_ON_EACH_ISA(Pixels);

}  // namespace
}  // namespace convmat::test
