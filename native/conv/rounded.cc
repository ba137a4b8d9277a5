// Convolutions of operands that are rounded to bfloat16: weights when they are packed, the input into scratch
// memory in front of each run, of the algorithm as it is, unless it rounds for itself.
#include <algorithm>
#include <utility>

#include "conv/algorithm.h"
#include "plan/arith.h"
#include "plan/sizes.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/bfloat16.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// Elements that a thread rounds at a time, and how long one takes.
constexpr int64_t kPart = 1 << 14;
constexpr double kRoundNs = 0.3;

class RoundedConv final : public ConvRunner {
 public:
  explicit RoundedConv(std::shared_ptr<const ConvRunner> of_rounded) : of_rounded_(std::move(of_rounded)) {}

  size_t bytes() const override { return sizeof(*this) + of_rounded_->bytes(); }
  bool applies_epilogue() const override { return of_rounded_->applies_epilogue(); }
  bool applies_addend() const override { return of_rounded_->applies_addend(); }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const int64_t count = read_elements_of(plan);
    const int64_t parts = ceil_div(count, kPart);
    ArenaFrame frame;
    float* const rounded = frame.take<float>(count + static_cast<int64_t>(kSlackBytes / sizeof(float)));
    parallel_for(parts, static_cast<double>(count) * kRoundNs, [&](int64_t part) {
      const int64_t first = part * kPart;
      round_to_bfloat16(static_cast<const float*>(input) + first, std::min(kPart, count - first),
                        rounded + first);
    });
    of_rounded_->run(context, plan, rounded, output);
  }

 private:
  std::shared_ptr<const ConvRunner> of_rounded_;
};

}  // namespace

std::shared_ptr<const ConvRunner> pack_rounded(const Context& context, const ConvPlan& plan,
                                               const ConvAlgorithm& algorithm, const void* weight,
                                               const void* bias, double lo, double hi) {
  if (algorithm.pack_bf16 != nullptr) {
    auto packed = algorithm.pack_bf16(context, plan, weight, bias, lo, hi);
    if (packed != nullptr) return packed;
  }
  const int64_t count = weights_of(plan);
  AlignedArray<float> rounded(count);
  round_to_bfloat16(static_cast<const float*>(weight), count, rounded.data());
  // The rounded weights last no longer than this call.
  Context own = context;
  own.ownership = Ownership::owned;
  return std::make_shared<RoundedConv>(algorithm.pack(own, plan, rounded.data(), bias, lo, hi));
}

}  // namespace convmat
