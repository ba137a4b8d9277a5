#include "ops/pixels.h"

#include <algorithm>

#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// Pixels of a chunk of work.
constexpr int64_t kChunk = 1 << 14;
constexpr double kNsPerValue = 0.25;

// body(begin, count) for each chunk of the pixels.
template <class Body>
void by_chunks(const Context& context, int64_t count, int64_t values, const Body& body) {
  parallel_for(ceil_div(count, kChunk), kNsPerValue * static_cast<double>(count * values),
               [&](int64_t chunk) {
                 if (context.is_cancelled()) return;
                 body(chunk * kChunk, std::min(count - chunk * kChunk, kChunk));
               });
}

int32_t bytes_of_value(DType dtype) { return static_cast<int32_t>(bytes_of(dtype)); }

}  // namespace

void from_pixels(const Context& context, const FromPixels& plan, const void* pixels, float* planes) {
  const int32_t value_bytes = bytes_of_value(plan.dtype);
  by_chunks(context, plan.count, plan.plane_count, [&](int64_t begin, int64_t count) {
    context.kernels->integer.planes_of_pixels(
        {static_cast<const char*>(pixels) + begin * plan.channels * value_bytes, count, value_bytes,
         plan.channels, plan.alpha, plan.largest, plan.planes, plan.plane_count, planes + begin, plan.count});
  });
}

void to_pixels(const Context& context, const ToPixels& plan, const void* planes, void* pixels) {
  const int32_t value_bytes = bytes_of_value(plan.to);
  dispatch_float(plan.from, [&](auto zero) {
    using T = decltype(zero);
    by_chunks(context, plan.count, plan.channels, [&](int64_t begin, int64_t count) {
      context.kernels->of<T>().pixels_of_planes(
          {static_cast<const T*>(planes) + begin, plan.count, count, value_bytes, plan.channels, plan.alpha,
           plan.largest, plan.scale, plan.offset,
           static_cast<char*>(pixels) + begin * plan.channels * value_bytes});
    });
  });
}

}  // namespace convmat
