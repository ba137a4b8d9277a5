// Products of matrices, one after the other: c[batch][m][n] = a[batch][m][k] * b[batch][k][n]. A factor that
// all products share has a stride of 0.
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
    b_ = source.store.input(words, checked_product({shares_b_ ? 1 : batch_, k_, n_}));
    c_ = source.store.output(words, checked_product({batch_, m_, n_}));
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const a = store.resolve<float>(a_, memory);
    const float* const b = store.resolve<float>(b_, memory);
    float* const c = store.resolve_output<float>(c_, memory);
    if (m_ * n_ == 0) return;
    for (int64_t i = 0; i < batch_; ++i) {
      matmul(context, DType::f32, DType::f32, m_, n_, k_, a + (shares_a_ ? 0 : i * m_ * k_),
             b + (shares_b_ ? 0 : i * k_ * n_), c + i * m_ * n_);
    }
  }

 private:
  int64_t batch_, m_, n_, k_;
  bool shares_a_, shares_b_;
  Operand a_, b_, c_;
};

}  // namespace

std::unique_ptr<Step> read_matmul_step(StepSource& source) { return std::make_unique<MatmulStep>(source); }

}  // namespace convmat
