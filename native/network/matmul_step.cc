// Products of matrices, one after the other: c[batch][m][n] = a[batch][m][k] * b[batch][k][n]. A factor that
// all products share has a stride of 0; one that is a constant is packed.
#include <optional>

#include "network/step.h"
#include "ops/matmul.h"

namespace convmat {
namespace {

class MatmulStep final : public Step {
 public:
  explicit MatmulStep(StepSource& source) {
    Words& words = source.words;
    batch_ = words.next_integer(0);
    m_ = words.next_integer(0);
    n_ = words.next_integer(0);
    k_ = words.next_integer(1);
    shares_a_ = words.next_flag();
    shares_b_ = words.next_flag();
    a_ = source.store.input(words, checked_product({shares_a_ ? 1 : batch_, m_, k_}));
    if (words.next_flag()) {
      const int64_t rows = checked_product({batch_, m_}), length = checked_product({k_, n_});
      if (shares_a_ || (batch_ > 1 && !shares_b_))
        throw Refusal("network: expected one constant matrix for all products");
      const void* const b = source.store.constant(source.store.constant_index(words), DType::f32, length);
      packed_.emplace(source.kernels.f32, k_, n_, static_cast<const float*>(b));
      m_ = rows;
      batch_ = 1;
    } else {
      b_ = source.store.input(words, checked_product({shares_b_ ? 1 : batch_, k_, n_}));
    }
    c_ = source.store.output(words, checked_product({batch_, m_, n_}));
  }

  size_t bytes() const override { return sizeof(*this) + (packed_ ? packed_->bytes() : 0); }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const a = store.resolve<float>(a_, memory);
    float* const c = store.resolve_output<float>(c_, memory);
    if (m_ * n_ == 0) return;
    if (packed_) return packed_->multiply(context, m_, a, c);
    const float* const b = store.resolve<float>(b_, memory);
    for (int64_t i = 0; i < batch_; ++i) {
      matmul(context, DType::f32, DType::f32, m_, n_, k_, a + (shares_a_ ? 0 : i * m_ * k_),
             b + (shares_b_ ? 0 : i * k_ * n_), c + i * m_ * n_);
    }
  }

 private:
  int64_t batch_, m_, n_, k_;
  bool shares_a_, shares_b_;
  std::optional<PackedMatrix> packed_;  // b, where it is a constant
  Operand a_{}, b_{}, c_{};
};

}  // namespace

std::unique_ptr<Step> read_matmul_step(StepSource& source) { return std::make_unique<MatmulStep>(source); }

}  // namespace convmat
