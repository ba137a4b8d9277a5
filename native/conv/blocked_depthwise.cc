// Depthwise convolution where channels lie in blocks of a vector's lanes, of any kernel, dilation and
// padding.
#include <algorithm>
#include <utility>

#include "conv/blocked.h"
#include "ops/blocked_window.h"
#include "plan/arith.h"
#include "plan/sizes.h"
#include "runtime/aligned.h"

namespace convmat {
namespace {

class BlockedDepthwise final : public ConvRunner {
 public:
  BlockedDepthwise(const ConvPlan& plan, const float* weight, const float* bias, float lo, float hi)
      : blocks_(ceil_div(plan.out_channels, plan.output_block)),
        weights_(blocks_ * taps_of(plan) * plan.output_block),
        bias_(blocks_ * plan.output_block),
        lo_(lo),
        hi_(hi) {
    const int64_t lanes = plan.output_block, taps = taps_of(plan);
    std::fill_n(weights_.data(), weights_.size(), 0.0f);
    std::fill_n(bias_.data(), bias_.size(), 0.0f);
    for (int64_t c = 0; c < plan.out_channels; ++c) {
      float* const to = weights_.data() + c / lanes * taps * lanes + c % lanes;
      for (int64_t t = 0; t < taps; ++t) to[t * lanes] = weight[c * taps + t];
      if (bias != nullptr) bias_.data()[c] = bias[c];
    }
  }

  size_t bytes() const override { return sizeof(*this) + weights_.bytes() + bias_.bytes(); }
  bool applies_epilogue() const override { return true; }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    run_blocked_windows(context, {BlockedWindowOp::weighted, plan.axis[1], plan.axis[2], plan.output_block,
                                  plan.batch, blocks_, static_cast<const float*>(input),
                                  static_cast<float*>(output), weights_.data(), bias_.data(), lo_, hi_});
  }

 private:
  const int64_t blocks_;
  AlignedArray<float> weights_;  // [block][tap][lane]
  AlignedArray<float> bias_;     // [block][lane]
  const float lo_, hi_;
};

}  // namespace

bool serves_blocked_depthwise(const ConvPlan& plan) {
  const Axis& depth = plan.axis[0];
  return plan.op == ConvOp::forward && plan.dtype == DType::f32 && plan.input_block == plan.output_block &&
         plan.in_channels == plan.groups && plan.out_channels == plan.groups &&
         plan.padding_mode == PaddingMode::zeros && depth.in == 1 && depth.kernel == 1 && depth.out == 1 &&
         serves_blocked_windows(plan.axis[1], plan.axis[2]);
}

std::shared_ptr<const ConvRunner> pack_blocked_depthwise(const Context&, const ConvPlan& plan,
                                                         const void* weight, const void* bias, double lo,
                                                         double hi) {
  return std::make_shared<BlockedDepthwise>(plan, static_cast<const float*>(weight),
                                            static_cast<const float*>(bias), static_cast<float>(lo),
                                            static_cast<float>(hi));
}

}  // namespace convmat
