#include "ops/batch_norm.h"

#include "plan/dispatch.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// What an element takes, about, once it is in cache.
constexpr double kNsPerMoment = 0.25, kNsPerMap = 0.2, kNsPerGradient = 0.5;

ChannelPlanes planes_of(const ChannelShape& shape) {
  // A single channel is one plane.
  if (shape.channels == 1) return {1, 0, shape.batch * shape.places};
  return {shape.batch, shape.channels * shape.places, shape.places};
}

// body(channel, its first element) for each of them.
template <class Body>
void by_channels(const ChannelShape& shape, double ns_per_element, const Body& body) {
  const auto elements = static_cast<double>(shape.batch * shape.channels * shape.places);
  parallel_for(shape.channels, ns_per_element * elements,
               [&](int64_t channel) { body(channel, channel * shape.places); });
}

}  // namespace

void batch_moments(const Context& context, const ChannelShape& shape, const void* x, double* mean,
                   double* squares) {
  const ChannelPlanes planes = planes_of(shape);
  dispatch_float(shape.dtype, [&](auto zero) {
    using T = decltype(zero);
    by_channels(shape, kNsPerMoment, [&](int64_t channel, int64_t begin) {
      context.kernels->of<T>().channel_moments(planes, static_cast<const T*>(x) + begin, mean + channel,
                                               squares + channel);
    });
  });
}

void channel_affine(const Context& context, const ChannelShape& shape, const void* x, const double* factor,
                    const double* offset, bool is_rectified, void* y) {
  const ChannelPlanes planes = planes_of(shape);
  dispatch_float(shape.dtype, [&](auto zero) {
    using T = decltype(zero);
    by_channels(shape, kNsPerMap, [&](int64_t channel, int64_t begin) {
      context.kernels->of<T>().channel_affine({planes, static_cast<const T*>(x) + begin, factor[channel],
                                               offset[channel], is_rectified, static_cast<T*>(y) + begin});
    });
  });
}

void batch_norm_grad(const Context& context, const BatchNormGrad& f) {
  const ChannelPlanes planes = planes_of(f.shape);
  dispatch_float(f.shape.dtype, [&](auto zero) {
    using T = decltype(zero);
    by_channels(f.shape, kNsPerGradient, [&](int64_t channel, int64_t begin) {
      context.kernels->of<T>().channel_grad(
          {planes, static_cast<const T*>(f.g) + begin, static_cast<const T*>(f.x) + begin, f.mean[channel],
           f.scale[channel], f.factor[channel], f.offset[channel], f.is_rectified, f.is_of_batch,
           static_cast<T*>(f.dx) + begin},
          f.sums + channel, f.products + channel);
    });
  });
}

}  // namespace convmat
