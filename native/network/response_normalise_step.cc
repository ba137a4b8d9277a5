// Local response normalisation over channels: y = x / (bias + alpha / size * sum of squares of the nearest
// `size` channels)^beta.
#include <algorithm>
#include <cmath>

#include "network/step.h"
#include "plan/arith.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// Places whose squares, for all channels of a window, stay in L1.
constexpr int64_t kBlock = 512;
constexpr double kNsPerElement = 1;

class ResponseNormaliseStep final : public Step {
 public:
  explicit ResponseNormaliseStep(StepSource& source)
      : batch_(source.words.next_integer(0)),
        channels_(source.words.next_integer(1)),
        places_(source.words.next_integer(0)),
        size_(source.words.next_integer(1)),
        alpha_(static_cast<float>(source.words.next())),
        beta_(static_cast<float>(source.words.next())),
        bias_(static_cast<float>(source.words.next())) {
    const int64_t elements = checked_product({batch_, channels_, places_});
    input_ = source.store.input(source.words, elements);
    output_ = source.store.output(source.words, elements);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const x = store.resolve<float>(input_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    const int64_t blocks = ceil_div(places_, kBlock);
    const double cost =
        kNsPerElement * static_cast<double>(batch_ * channels_) * static_cast<double>(places_);
    parallel_for(batch_ * blocks, cost, [&](int64_t chunk) {
      if (context.is_cancelled()) return;
      const int64_t first = chunk % blocks * kBlock, n = std::min(kBlock, places_ - first);
      const int64_t at = chunk / blocks * channels_ * places_ + first;
      run_block(*context.kernels, x + at, y + at, n);
    });
  }

 private:
  void run_block(const KernelTable& kernels, const float* x, float* y, int64_t n) const {
    ArenaFrame arena;
    float* const sums = arena.take<float>(n);
    float* const roots = arena.take<float>(n);
    const auto run = [&](std::initializer_list<ProgramInstruction> code, const float* from, float* to) {
      float* registers[4] = {sums, roots, const_cast<float*>(from), to};
      kernels.steps.program({code.begin(), static_cast<int64_t>(code.size()), registers, n, power});
    };
    const float scale = alpha_ / static_cast<float>(size_);
    for (int64_t c = 0; c < channels_; ++c) {
      const int64_t begin = std::max<int64_t>(0, c - (size_ - 1) / 2);
      const int64_t end = std::min(channels_, c + size_ / 2 + 1);
      std::fill_n(sums, n, 0.0f);
      for (int64_t k = begin; k < end; ++k)
        kernels.steps.row_accumulate(RowReduction::square_sum, x + k * places_, sums, n);
      const ProgramInstruction base = {ProgramOp::affine, 0, 0, 0, scale, bias_};
      const ProgramInstruction root = {ProgramOp::square_root, 1, 0, 0, 0, 0};
      const ProgramInstruction quotient = {ProgramOp::divide, 3, 2, 0, 0, 0};
      if (beta_ == 0.75f) {  // a root, times the root of that
        run({base,
             root,
             {ProgramOp::square_root, 0, 1, 0, 0, 0},
             {ProgramOp::multiply, 0, 0, 1, 0, 0},
             quotient},
            x + c * places_, y + c * places_);
      } else if (beta_ == 0.5f) {
        run({base, {ProgramOp::square_root, 0, 0, 0, 0, 0}, quotient}, x + c * places_, y + c * places_);
      } else {
        run({base, {ProgramOp::power, 0, 0, 0, beta_, 0}, quotient}, x + c * places_, y + c * places_);
      }
    }
  }

  // Its exponent is the instruction's own.
  static void power(const ProgramInstruction& f, const float* x, const float*, float* to, int64_t n) {
    for (int64_t i = 0; i < n; ++i) to[i] = std::pow(x[i], f.alpha);
  }

  const int64_t batch_, channels_, places_, size_;
  const float alpha_, beta_, bias_;
  Operand input_, output_;
};

}  // namespace

std::unique_ptr<Step> read_response_normalise_step(StepSource& source) {
  return std::make_unique<ResponseNormaliseStep>(source);
}

}  // namespace convmat
