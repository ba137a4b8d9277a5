#include "ops/batch_norm.h"

#include <algorithm>

#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// What an element takes, about, that another layer's work has driven out of the second-level cache.
constexpr double kNsPerMoment = 0.4, kNsPerMap = 0.6, kNsPerGradient = 1;

// Elements that the channels of a group have one after the other: pages, at whose ends prefetchers stop. More
// would only make what is read twice too much for a cache.
constexpr int64_t kRun = 1024;

// body(group, its first channel, its first element) for each group of channels.
template <class Body>
void by_groups(const ChannelShape& shape, double ns_per_element, const Body& body) {
  const int64_t channels = std::clamp<int64_t>(ceil_div(kRun, std::max<int64_t>(shape.places, 1)), 1,
                                               std::max<int64_t>(shape.channels, 1));
  const auto elements = static_cast<double>(shape.batch * shape.channels * shape.places);
  parallel_for(ceil_div(shape.channels, channels), ns_per_element * elements, [&](int64_t chunk) {
    const int64_t first = chunk * channels;
    const ChannelGroup group = {shape.batch, std::min(channels, shape.channels - first), shape.places,
                                shape.channels * shape.places};
    body(group, first, first * shape.places);
  });
}

}  // namespace

void batch_moments(const Context& context, const ChannelShape& shape, const void* x, double* mean,
                   double* squares) {
  dispatch_float(shape.dtype, [&](auto zero) {
    using T = decltype(zero);
    by_groups(shape, kNsPerMoment, [&](const ChannelGroup& group, int64_t channel, int64_t begin) {
      context.kernels->of<T>().channel_moments(group, static_cast<const T*>(x) + begin, mean + channel,
                                               squares + channel);
    });
  });
}

void channel_affine(const Context& context, const ChannelShape& shape, const void* x, const double* factor,
                    const double* offset, bool is_rectified, void* y) {
  dispatch_float(shape.dtype, [&](auto zero) {
    using T = decltype(zero);
    by_groups(shape, kNsPerMap, [&](const ChannelGroup& group, int64_t channel, int64_t begin) {
      context.kernels->of<T>().channel_affine({group, static_cast<const T*>(x) + begin, factor + channel,
                                               offset + channel, is_rectified, static_cast<T*>(y) + begin});
    });
  });
}

void batch_norm_grad(const Context& context, const BatchNormGrad& f) {
  dispatch_float(f.shape.dtype, [&](auto zero) {
    using T = decltype(zero);
    by_groups(f.shape, kNsPerGradient, [&](const ChannelGroup& group, int64_t channel, int64_t begin) {
      context.kernels->of<T>().channel_grad(
          {group, static_cast<const T*>(f.g) + begin, static_cast<const T*>(f.x) + begin, f.mean + channel,
           f.scale + channel, f.factor + channel, f.offset + channel, f.is_rectified, f.is_of_batch,
           static_cast<T*>(f.dx) + begin, f.sums + channel, f.products + channel});
    });
  });
}

}  // namespace convmat
