#include "door/pixels.h"

namespace convmat::door {
namespace {

constexpr int64_t kMostChannels = 4;
constexpr size_t kNumbersOfAPlane = 5;

DType pixel_dtype_of(const Array& pixels) {
  const DType dtype = dtype_of(pixels, "pixels");
  if (dtype == DType::u8 || dtype == DType::u16 || dtype == DType::f32) return dtype;
  throw Refusal(std::string("pixels: expected uint8, uint16 or float32, got ") + dtype_name(dtype));
}

int32_t read_channels(const Value& value) {
  const int64_t channels = read_size(value, "channels");
  if (channels < 1 || channels > kMostChannels)
    throw Refusal("channels: expected 1 to 4, got " + quantity(channels));
  return static_cast<int32_t>(channels);
}

int32_t read_alpha(const Value& value, int32_t channels) {
  const double alpha = read_double(value, "alpha");
  if (!(alpha >= -1 && alpha < channels))
    throw Refusal("alpha: expected a channel, or -1, got " + described(value));
  return static_cast<int32_t>(alpha);
}

}  // namespace

FromPixelsJob read_from_pixels(const Call& call) {
  FromPixelsJob job{};
  FromPixels& plan = job.plan;
  plan.channels = read_channels(call[0]);
  plan.alpha = read_alpha(call[1], plan.channels);
  plan.largest = read_double(call[2], "largest");
  const Array numbers = read_array(call[3], "numbers");
  if (dtype_of(numbers, "numbers") != DType::f64 || numbers.length % kNumbersOfAPlane != 0)
    throw Refusal("numbers: expected five of float64 for each plane");
  const double* const values = static_cast<const double*>(numbers.data);
  for (size_t at = 0; at < numbers.length; at += kNumbersOfAPlane) {
    const double channel = values[at];
    if (!(channel >= kLuma && channel < plan.channels) || (channel < 0 && plan.channels < 3))
      throw Refusal("numbers: expected a channel of the pixels");
    const bool is_premultiplied = values[at + 1] != 0;
    if (is_premultiplied && plan.alpha < 0) throw Refusal("alpha: expected a channel to multiply by");
    job.planes.push_back(
        {static_cast<int32_t>(channel), is_premultiplied, values[at + 2], values[at + 3], values[at + 4]});
  }
  plan.plane_count = static_cast<int32_t>(job.planes.size());
  const Array pixels = read_array(call[4], "pixels");
  plan.dtype = pixel_dtype_of(pixels);
  plan.count = static_cast<int64_t>(pixels.length) / plan.channels;
  job.pixels = pixels.data;
  job.result = static_cast<float*>(
      read_result(call[5], DType::f32, checked_product({plan.count, plan.plane_count}), "planes"));
  return job;
}

ToPixelsJob read_to_pixels(const Call& call) {
  ToPixelsJob job{};
  ToPixels& plan = job.plan;
  plan.channels = read_channels(call[0]);
  plan.alpha = read_alpha(call[1], plan.channels);
  plan.largest = read_double(call[2], "largest");
  plan.scale = read_double(call[3], "scale");
  plan.offset = read_double(call[4], "offset");
  const Array planes = read_array(call[5], "planes");
  plan.from = float_dtype_of(planes, "planes");
  plan.count = static_cast<int64_t>(planes.length) / plan.channels;
  job.planes = planes.data;
  const Array pixels = read_array(call[6], "pixels");
  plan.to = pixel_dtype_of(pixels);
  job.result = read_result(call[6], plan.to, checked_product({plan.count, plan.channels}), "pixels");
  return job;
}

void from_pixels(const Call& call) { read_from_pixels(call).run(Context{&kernels_of(call)}); }

void to_pixels(const Call& call) { read_to_pixels(call).run(Context{&kernels_of(call)}); }

}  // namespace convmat::door
