// Forward convolution of one input channel per group, by any number of 3 x 3 or 5 x 5 kernels, stride 1 or 2
// along each axis, zeros padding: a plane at a time, straight from image to output.
#include <algorithm>
#include <utility>

#include "conv/algorithm.h"
#include "conv/blocked.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "plan/serves.h"
#include "runtime/aligned.h"
#include "runtime/epilogue.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// What a chunk should take at least, so that claiming one costs nothing.
constexpr double kChunkNs = 15e3;

// Of the multiply-add units' peak, about: loads share the time.
constexpr double kEfficiency = 0.6;

// Rows of a chunk come in multiples of this, so that tiles of rows are as full as in a whole plane.
constexpr int64_t kRowQuantum = 28;

template <typename T>
class DepthwiseConv final : public ConvRunner {
 public:
  DepthwiseConv(const ConvPlan& plan, const T* weight, const T* bias, T lo, T hi)
      : weights_(plan.out_channels * plan.axis[1].kernel * plan.axis[2].kernel),
        bias_(plan.out_channels),
        lo_(lo),
        hi_(hi) {
    std::copy_n(weight, weights_.size(), weights_.data());
    if (bias != nullptr) {
      std::copy_n(bias, bias_.size(), bias_.data());
    } else {
      std::fill_n(bias_.data(), bias_.size(), T{0});
    }
  }

  size_t bytes() const override { return sizeof(*this) + weights_.bytes() + bias_.bytes(); }
  bool applies_epilogue() const override { return true; }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const Kernels<T>& kernels = context.kernels->of<T>();
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    const T* const x = static_cast<const T*>(input);
    T* const y = static_cast<T*>(output);
    const int64_t planes = plan.batch * plan.out_channels, multiplier = plan.out_channels / plan.groups;
    const int64_t taps = height.kernel * width.kernel;
    const int64_t in_plane = height.in * width.in, out_plane = height.out * width.out;
    if (planes * out_plane == 0) return;
    // Where there is one output, its stride says nothing.
    const int down = height.out == 1 ? 1 : static_cast<int>(height.stride);
    const int across = width.out == 1 ? 1 : static_cast<int>(width.stride);

    const double row_ns =
        static_cast<double>(width.out * taps) / (kernels.gemm_blocking.fma_per_ns * kEfficiency);
    const double plane_ns = row_ns * static_cast<double>(height.out);
    const int64_t planes_each =
        std::clamp<int64_t>(static_cast<int64_t>(kChunkNs / plane_ns), 1, std::max<int64_t>(planes, 1));
    const int64_t fit_rows = static_cast<int64_t>(kChunkNs / row_ns) / kRowQuantum * kRowQuantum;
    const int64_t rows_each = std::clamp<int64_t>(fit_rows, std::min(kRowQuantum, height.out), height.out);
    const int64_t row_chunks = ceil_div(height.out, rows_each);
    const int64_t chunks = ceil_div(planes, planes_each) * row_chunks;

    parallel_for(chunks, plane_ns * static_cast<double>(planes), [&](int64_t index) {
      if (context.is_cancelled()) return;
      const int64_t first_plane = index / row_chunks * planes_each,
                    first_row = index % row_chunks * rows_each;
      const int64_t end_plane = std::min(first_plane + planes_each, planes);
      for (int64_t p = first_plane; p < end_plane;) {
        const int64_t channel = p % plan.out_channels;
        const int64_t count = multiplier > 1 ? 1 : std::min(end_plane - p, plan.out_channels - channel);
        kernels.depthwise(
            static_cast<int>(width.kernel), down, across,
            {x + p / multiplier * in_plane, height.in, width.in, height.pad_before, width.pad_before,
             weights_.data() + channel * taps, bias_.data() + channel, lo_, hi_, y + p * out_plane,
             height.out, width.out, first_row, std::min(rows_each, height.out - first_row), count});
        if (context.epilogue != nullptr) {
          const int64_t rows = std::min(rows_each, height.out - first_row);
          context.epilogue->run(y + p * out_plane + first_row * width.out, count, out_plane,
                                rows * width.out);
        }
        p += count;
      }
    });
  }

 private:
  AlignedArray<T> weights_;  // [channel][row][column]
  AlignedArray<T> bias_;
  const T lo_, hi_;
};

template <typename T>
std::shared_ptr<const ConvRunner> make(const ConvPlan& plan, const void* weight, const void* bias, double lo,
                                       double hi) {
  return std::make_shared<DepthwiseConv<T>>(plan, static_cast<const T*>(weight), static_cast<const T*>(bias),
                                            static_cast<T>(lo), static_cast<T>(hi));
}

std::shared_ptr<const ConvRunner> pack_forward(const Context& context, const ConvPlan& plan,
                                               const void* weight, const void* bias, double lo, double hi) {
  if (plan.input_block > 1) return pack_blocked_depthwise(context, plan, weight, bias, lo, hi);
  if (plan.variant == kSeparable) return pack_separable_forward(context, plan, weight, bias, lo, hi);
  return dispatch_float(plan.dtype,
                        [&](auto zero) { return make<decltype(zero)>(plan, weight, bias, lo, hi); });
}

// The adjoint of two passes would be two passes, which nobody has asked for.
bool serves_depthwise(const ConvPlan& plan) {
  if (plan.variant == kSeparable) return plan.op == ConvOp::forward && is_separable_plan(plan);
  return serves_computed(plan, is_depthwise_plan);
}

}  // namespace

const ConvAlgorithm depthwise_algorithm = {serves_depthwise,
                                           "one input channel per group, and 3x3 or 5x5 kernels of stride 1 "
                                           "or 2 with zeros padding, or stride 1 for "
                                           "two passes",
                                           pack_either<pack_forward>, serves_blocked_depthwise};

}  // namespace convmat
