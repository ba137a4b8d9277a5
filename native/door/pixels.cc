#include "door/pixels.h"

#include <utility>

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

namespace {

// The plan of arguments `first` .. `first + 3` for pixels of a type, of which `length` values come.
FromPixelsJob read_from_plan(const Call& call, size_t first, const Array& pixels) {
  FromPixelsJob job{};
  FromPixels& plan = job.plan;
  plan.channels = read_channels(call[first]);
  plan.alpha = read_alpha(call[first + 1], plan.channels);
  plan.largest = read_double(call[first + 2], "largest");
  const Array numbers = read_array(call[first + 3], "numbers");
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
  plan.dtype = pixel_dtype_of(pixels);
  plan.count = static_cast<int64_t>(pixels.length) / plan.channels;
  job.pixels = pixels.data;
  return job;
}

// That of arguments `first` .. `first + 4`, for as many values as `length`.
ToPixels read_to_plan(const Call& call, size_t first, DType from, int64_t length, const Array& pixels) {
  ToPixels plan{};
  plan.channels = read_channels(call[first]);
  plan.alpha = read_alpha(call[first + 1], plan.channels);
  plan.largest = read_double(call[first + 2], "largest");
  plan.scale = read_double(call[first + 3], "scale");
  plan.offset = read_double(call[first + 4], "offset");
  plan.from = from;
  plan.to = pixel_dtype_of(pixels);
  plan.count = length / plan.channels;
  return plan;
}

}  // namespace

FromPixelsJob read_from_pixels(const Call& call) {
  FromPixelsJob job = read_from_plan(call, 0, read_array(call[4], "pixels"));
  job.result = static_cast<float*>(
      read_result(call[5], DType::f32, checked_product({job.plan.count, job.plan.plane_count}), "planes"));
  return job;
}

ToPixelsJob read_to_pixels(const Call& call) {
  const Array planes = read_array(call[5], "planes");
  ToPixelsJob job{};
  job.plan = read_to_plan(call, 0, float_dtype_of(planes, "planes"), static_cast<int64_t>(planes.length),
                          read_array(call[6], "pixels"));
  job.planes = planes.data;
  job.result =
      read_result(call[6], job.plan.to, checked_product({job.plan.count, job.plan.channels}), "pixels");
  return job;
}

ConvolvePixelsJob read_convolve_pixels(const Call& call, const ConvPlan& conv, const ConvLengths& lengths) {
  if (conv.dtype != DType::f32 || conv.op != ConvOp::forward)
    throw Refusal("prepared: expected a convolution of float32");
  FromPixelsJob from = read_from_plan(call, 1, read_array(call[10], "pixels"));
  if (checked_product({from.plan.count, from.plan.plane_count}) != lengths.input)
    throw Refusal("pixels: expected what fills the input");
  const ToPixels to = read_to_plan(call, 5, DType::f32, lengths.output, read_array(call[11], "result"));
  void* const result = read_result(call[11], to.to, checked_product({to.count, to.channels}), "result");
  if (to.count * to.channels != lengths.output) throw Refusal("result: expected what the output fills");
  return {std::move(from), to, result};
}

void from_pixels(const Call& call) { read_from_pixels(call).run(Context{&kernels_of(call)}); }

void to_pixels(const Call& call) { read_to_pixels(call).run(Context{&kernels_of(call)}); }

}  // namespace convmat::door
