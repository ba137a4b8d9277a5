// Reductions, softmax and normalisation: of an array seen as [outer][count][inner], along its middle axis.
#include <algorithm>
#include <cmath>
#include <limits>

#include "network/step.h"
#include "plan/arith.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

constexpr double kNsPerElement = 0.15, kNsPerExponential = 0.5;
// Columns that are reduced together, so that their results stay in L1.
constexpr int64_t kColumns = 1024;

RowReduction row_reduction(Reduction reduction) {
  switch (reduction) {
    case Reduction::maximum:
      return RowReduction::maximum;
    case Reduction::minimum:
      return RowReduction::minimum;
    case Reduction::product:
      return RowReduction::product;
    case Reduction::l1:
      return RowReduction::absolute_sum;
    case Reduction::l2:
    case Reduction::square_sum:
      return RowReduction::square_sum;
    case Reduction::sum:
    case Reduction::mean:
    case Reduction::log_sum:
    case Reduction::log_sum_exp:
      break;
  }
  return RowReduction::sum;
}

struct Rows {
  int64_t outer, count, inner;
  explicit Rows(Words& words)
      : outer(words.next_integer(0)), count(words.next_integer(0)), inner(words.next_integer(0)) {}
  int64_t elements() const { return checked_product({outer, count, inner}); }
};

class ReduceStep final : public Step {
 public:
  explicit ReduceStep(StepSource& source)
      : reduction_(source.words.next_of(Reduction::log_sum_exp)), rows_(source.words) {
    if (rows_.count == 0) throw Refusal("network: expected elements to reduce");
    input_ = source.store.input(source.words, rows_.elements());
    output_ = source.store.output(source.words, checked_product({rows_.outer, rows_.inner}));
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const x = store.resolve<float>(input_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    const KernelTable& kernels = *context.kernels;
    const RowReduction by = row_reduction(reduction_);
    const bool is_exponential = reduction_ == Reduction::log_sum_exp;
    const double cost = (is_exponential ? kNsPerExponential : kNsPerElement) *
                        static_cast<double>(rows_.outer) * static_cast<double>(rows_.count * rows_.inner);
    if (rows_.inner == 1) {
      const int64_t each =
          std::clamp<int64_t>((16 << 10) / rows_.count, 1, std::max<int64_t>(1, rows_.outer));
      parallel_for(ceil_div(rows_.outer, each), cost, [&](int64_t chunk) {
        if (context.is_cancelled()) return;
        for (int64_t i = chunk * each; i < std::min(rows_.outer, (chunk + 1) * each); ++i) {
          const float* const row = x + i * rows_.count;
          y[i] = is_exponential ? log_sum_exp(kernels, row)
                                : finish(kernels.steps.row_reduce(by, row, rows_.count));
        }
      });
      return;
    }
    const int64_t blocks = ceil_div(rows_.inner, kColumns);
    parallel_for(rows_.outer * blocks, cost, [&](int64_t chunk) {
      if (context.is_cancelled()) return;
      const int64_t first = chunk % blocks * kColumns, n = std::min(kColumns, rows_.inner - first);
      const float* const from = x + chunk / blocks * rows_.count * rows_.inner + first;
      float* const to = y + chunk / blocks * rows_.inner + first;
      if (is_exponential) return log_sum_exp_columns(from, to, n);
      std::fill_n(to, n,
                  by == RowReduction::maximum   ? -std::numeric_limits<float>::infinity()
                  : by == RowReduction::minimum ? std::numeric_limits<float>::infinity()
                  : by == RowReduction::product ? 1.0f
                                                : 0.0f);
      for (int64_t i = 0; i < rows_.count; ++i)
        kernels.steps.row_accumulate(by, from + i * rows_.inner, to, n);
      for (int64_t i = 0; i < n; ++i) to[i] = finish(to[i]);
    });
  }

 private:
  float finish(float value) const {
    switch (reduction_) {
      case Reduction::mean:
        return value / static_cast<float>(rows_.count);
      case Reduction::l2:
        return std::sqrt(value);
      case Reduction::log_sum:
        return std::log(value);
      case Reduction::sum:
      case Reduction::maximum:
      case Reduction::minimum:
      case Reduction::product:
      case Reduction::l1:
      case Reduction::square_sum:
      case Reduction::log_sum_exp:
        break;
    }
    return value;
  }

  // Less the maximum, so that no exponential is too large.
  float log_sum_exp(const KernelTable& kernels, const float* row) const {
    const float most = kernels.steps.row_reduce(RowReduction::maximum, row, rows_.count);
    if (std::isinf(most)) return most;
    float sum = 0;
    for (int64_t i = 0; i < rows_.count; ++i) sum += std::exp(row[i] - most);
    return most + std::log(sum);
  }
  void log_sum_exp_columns(const float* from, float* to, int64_t n) const {
    for (int64_t j = 0; j < n; ++j) {
      float most = from[j];
      for (int64_t i = 1; i < rows_.count; ++i) most = std::max(most, from[i * rows_.inner + j]);
      float sum = 0;
      for (int64_t i = 0; i < rows_.count; ++i) sum += std::exp(from[i * rows_.inner + j] - most);
      to[j] = std::isinf(most) ? most : most + std::log(sum);
    }
  }

  const Reduction reduction_;
  const Rows rows_;
  Operand input_, output_;
};

class SoftmaxStep final : public Step {
 public:
  explicit SoftmaxStep(StepSource& source) : is_logarithm_(source.words.next_flag()), rows_(source.words) {
    input_ = source.store.input(source.words, rows_.elements());
    output_ = source.store.output(source.words, rows_.elements());
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    if (rows_.elements() == 0) return;
    const float* const x = store.resolve<float>(input_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    const double cost = kNsPerExponential * static_cast<double>(rows_.elements());
    if (rows_.inner == 1) {
      const int64_t each = std::clamp<int64_t>((8 << 10) / rows_.count, 1, rows_.outer);
      parallel_for(ceil_div(rows_.outer, each), cost, [&](int64_t chunk) {
        if (context.is_cancelled()) return;
        for (int64_t i = chunk * each; i < std::min(rows_.outer, (chunk + 1) * each); ++i) {
          context.kernels->steps.row_softmax(is_logarithm_, x + i * rows_.count, y + i * rows_.count,
                                             rows_.count);
        }
      });
      return;
    }
    const int64_t blocks = ceil_div(rows_.inner, kColumns);
    parallel_for(rows_.outer * blocks, cost, [&](int64_t chunk) {
      if (context.is_cancelled()) return;
      const int64_t first = chunk % blocks * kColumns, n = std::min(kColumns, rows_.inner - first);
      const int64_t at = chunk / blocks * rows_.count * rows_.inner + first;
      ArenaFrame arena;
      context.kernels->steps.column_softmax(
          is_logarithm_, {x + at, y + at, rows_.count, rows_.inner, n, arena.take<float>(2 * n)});
    });
  }

 private:
  const bool is_logarithm_;
  const Rows rows_;
  Operand input_, output_;
};

// Rows of `count` elements, to mean 0 and variance 1. Scale and bias are one per element of a row, or one for
// each of `parameters` rows in turn.
class NormaliseStep final : public Step {
 public:
  explicit NormaliseStep(StepSource& source)
      : rows_(source.words.next_integer(0)),
        count_(source.words.next_integer(1)),
        epsilon_(static_cast<float>(source.words.next())),
        parameters_(source.words.next_integer(0)) {
    const int64_t elements = checked_product({rows_, count_});
    const int64_t length = parameters_ == 0 ? count_ : parameters_;
    input_ = source.store.input(source.words, elements);
    scale_ = source.store.input(source.words, length);
    bias_ = source.store.input(source.words, length);
    output_ = source.store.output(source.words, elements);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const x = store.resolve<float>(input_, memory);
    const float* const scale = store.resolve<float>(scale_, memory);
    const float* const bias = store.resolve<float>(bias_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    const int64_t each = std::clamp<int64_t>((8 << 10) / count_, 1, std::max<int64_t>(1, rows_));
    const double cost = 2 * kNsPerElement * static_cast<double>(rows_) * static_cast<double>(count_);
    parallel_for(ceil_div(rows_, each), cost, [&](int64_t chunk) {
      if (context.is_cancelled()) return;
      for (int64_t i = chunk * each; i < std::min(rows_, (chunk + 1) * each); ++i) {
        const int64_t at = parameters_ == 0 ? 0 : i % parameters_;
        context.kernels->steps.row_normalise(
            {x + i * count_, y + i * count_, count_, epsilon_, scale + at, bias + at, parameters_ == 0});
      }
    });
  }

 private:
  const int64_t rows_, count_;
  const float epsilon_;
  const int64_t parameters_;
  Operand input_, scale_, bias_, output_;
};

}  // namespace

std::unique_ptr<Step> read_reduce_step(StepSource& source) { return std::make_unique<ReduceStep>(source); }
std::unique_ptr<Step> read_softmax_step(StepSource& source) { return std::make_unique<SoftmaxStep>(source); }
std::unique_ptr<Step> read_normalise_step(StepSource& source) {
  return std::make_unique<NormaliseStep>(source);
}

}  // namespace convmat
