// One axis of a resize, of an array seen as [outer][in][inner]: output i is the weighted sum of a few inputs.
#include <algorithm>

#include "network/step.h"
#include "plan/arith.h"
#include "runtime/thread_pool.h"
#include "simd/compiler.h"

namespace convmat {
namespace {

constexpr double kNsPerTap = 0.4;

class ResampleStep final : public Step {
 public:
  explicit ResampleStep(StepSource& source) {
    Words& words = source.words;
    outer_ = words.next_integer(0);
    in_ = words.next_integer(0);
    inner_ = words.next_integer(0);
    out_ = words.next_integer(0);
    taps_ = words.next_integer(1);
    const int64_t length = checked_product({out_, taps_});
    const auto* const indices = static_cast<const int32_t*>(
        source.store.constant(source.store.constant_index(words), DType::i32, length));
    const auto* const weights = static_cast<const float*>(
        source.store.constant(source.store.constant_index(words), DType::f32, length));
    indices_.assign(indices, indices + length);
    weights_.assign(weights, weights + length);
    for (const int32_t index : indices_) {
      if (index < 0 || index >= in_) throw Refusal("network: expected indices inside the axis");
    }
    input_ = source.store.input(words, checked_product({outer_, in_, inner_}));
    output_ = source.store.output(words, checked_product({outer_, out_, inner_}));
  }

  size_t bytes() const override { return sizeof(*this) + indices_.size() * 8; }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    if (outer_ * out_ * inner_ == 0) return;
    const float* const x = store.resolve<float>(input_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    const double cost = kNsPerTap * static_cast<double>(outer_ * out_) * static_cast<double>(inner_ * taps_);
    const int64_t row = inner_ * out_ * taps_;
    const int64_t each = std::clamp<int64_t>((32 << 10) / row, 1, outer_);
    parallel_for(ceil_div(outer_, each), cost, [&](int64_t chunk) {
      if (context.is_cancelled()) return;
      for (int64_t o = chunk * each; o < std::min(outer_, (chunk + 1) * each); ++o) {
        run_plane(x + o * in_ * inner_, y + o * out_ * inner_);
      }
    });
  }

 private:
  void run_plane(const float* x, float* y) const {
    if (inner_ == 1) return run_row(x, y);
    for (int64_t i = 0; i < out_; ++i, y += inner_) {
      const int32_t* const index = indices_.data() + i * taps_;
      const float* const weight = weights_.data() + i * taps_;
      if (taps_ == 1 && weight[0] == 1) {
        std::copy_n(x + index[0] * inner_, inner_, y);
        continue;
      }
      if (taps_ == 2) {
        blend(x + index[0] * inner_, weight[0], x + index[1] * inner_, weight[1], y);
        continue;
      }
      std::fill_n(y, inner_, 0.0f);
      for (int64_t t = 0; t < taps_; ++t) {
        const float* const from = x + index[t] * inner_;
        for (int64_t k = 0; k < inner_; ++k) y[k] += weight[t] * from[k];
      }
    }
  }

  void blend(const float* CONVMAT_RESTRICT a, float by_a, const float* CONVMAT_RESTRICT b, float by_b,
             float* CONVMAT_RESTRICT y) const {
    for (int64_t k = 0; k < inner_; ++k) y[k] = by_a * a[k] + by_b * b[k];
  }

  void run_row(const float* x, float* y) const {
    const int32_t* index = indices_.data();
    const float* weight = weights_.data();
    if (taps_ == 1) {
      for (int64_t i = 0; i < out_; ++i) y[i] = weight[i] * x[index[i]];
      return;
    }
    for (int64_t i = 0; i < out_; ++i, index += taps_, weight += taps_) {
      float sum = 0;
      for (int64_t t = 0; t < taps_; ++t) sum += weight[t] * x[index[t]];
      y[i] = sum;
    }
  }

  int64_t outer_, in_, inner_, out_, taps_;
  std::vector<int32_t> indices_;
  std::vector<float> weights_;
  Operand input_, output_;
};

}  // namespace

std::unique_ptr<Step> read_resample_step(StepSource& source) {
  return std::make_unique<ResampleStep>(source);
}

}  // namespace convmat
