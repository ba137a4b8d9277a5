#include "network/program.h"

#include <algorithm>
#include <cmath>

#include "plan/arith.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// Elements that all instructions pass over before the next: a dozen registers of them stay in L1.
constexpr int64_t kBlock = 512;
// Elements of a chunk of work.
constexpr int64_t kChunk = 16 << 10;
constexpr double kNsPerOperation = 0.1;
constexpr int64_t kMostRegisters = 64, kMostInstructions = 256;

void run_scalar(const ProgramInstruction& f, const float* x, const float* z, float* to, int64_t n) {
  const auto each = [&](auto function) {
    for (int64_t i = 0; i < n; ++i) to[i] = function(x[i]);
  };
  // For large x, the logarithm of 1 + e^x is x, and e^x no number.
  const auto softplus = [](float a) { return a > 20 ? a : std::log1p(std::exp(a)); };
  switch (f.op) {
    case ProgramOp::power:
      for (int64_t i = 0; i < n; ++i) to[i] = std::pow(x[i], z[i]);
      return;
    case ProgramOp::logarithm:
      return each([](float a) { return std::log(a); });
    case ProgramOp::sine:
      return each([](float a) { return std::sin(a); });
    case ProgramOp::cosine:
      return each([](float a) { return std::cos(a); });
    case ProgramOp::softplus:
      return each(softplus);
    case ProgramOp::mish:
      return each([&](float a) { return a * std::tanh(softplus(a)); });
    default:
      return;
  }
}

}  // namespace

Program::Program(StepSource& source, bool finishes_result) : elements_(1) {
  Words& words = source.words;
  axes_ = static_cast<int>(words.next_integer(1, kMostProgramAxes));
  for (int a = 0; a < axes_; ++a) {
    shape_[a] = words.next_integer(0);
    elements_ = checked_product({elements_, shape_[a]});
  }
  const int64_t operands = words.next_integer(0, kMostRegisters);
  for (int64_t i = 0; i < operands; ++i) {
    Input input{};
    int64_t reach = elements_ == 0 ? 0 : 1, contiguous = 1;
    bool is_like_result = true, is_one = true;
    for (int a = 0; a < axes_; ++a) {
      input.strides[a] = words.next_integer(0);
      if (elements_ > 0 && shape_[a] > 1) reach += checked_product({shape_[a] - 1, input.strides[a]});
    }
    for (int a = axes_ - 1; a >= 0; --a) {
      if (shape_[a] > 1) {
        is_like_result = is_like_result && input.strides[a] == contiguous;
        is_one = is_one && input.strides[a] == 0;
      }
      contiguous *= shape_[a];
    }
    is_flat_ = is_flat_ && (is_like_result || is_one);
    input.flat_step = is_one ? 0 : 1;
    if (!finishes_result || i > 0) {
      input.operand = source.store.input(words, reach);
    } else if (!is_like_result) {
      throw Refusal("network: expected a program to finish the result as it lies");
    }
    inputs_.push_back(input);
  }
  const int64_t constants = words.next_integer(0, kMostRegisters);
  for (int64_t i = 0; i < constants; ++i) constants_.push_back(static_cast<float>(words.next()));
  temporaries_ = words.next_integer(0, kMostRegisters);
  const int64_t registers = operands + constants + temporaries_ + 1;
  const int64_t first_written = operands + constants;
  const int64_t count = words.next_integer(1, kMostInstructions);
  for (int64_t i = 0; i < count; ++i) {
    ProgramInstruction f;
    f.op = words.next_of(kLastProgramOp);
    f.to = static_cast<int32_t>(words.next_integer(first_written, registers - 1));
    f.x = static_cast<int32_t>(words.next_integer(0, registers - 1));
    f.z = static_cast<int32_t>(words.next_integer(0, registers - 1));
    f.alpha = static_cast<float>(words.next());
    f.beta = static_cast<float>(words.next());
    code_.push_back(f);
  }
}

// Registers and their memory, for one thread and any number of rows.
struct Program::Frame {
  Frame(const Program& program, int64_t n, const KernelTable& kernels_of)
      : kernels(kernels_of),
        operands(static_cast<int64_t>(program.inputs_.size())),
        registers(operands + static_cast<int64_t>(program.constants_.size()) + program.temporaries_ + 1),
        at(arena.take<float*>(registers)),
        scratch(arena.take<float>((registers - 1) * kBlock)) {
    int64_t i = operands;
    for (const float constant : program.constants_) {
      at[i] = scratch + i * kBlock;
      std::fill_n(at[i++], std::min(kBlock, n), constant);
    }
    for (; i < registers - 1; ++i) at[i] = scratch + i * kBlock;
  }

  const KernelTable& kernels;
  ArenaFrame arena;
  const int64_t operands, registers;
  float** const at;
  float* const scratch;
};

void Program::run_range(const Frame& frame, const float* const* inputs, float* out, int64_t begin,
                        int64_t end) const {
  const int64_t inner = is_flat_ ? elements_ : shape_[axes_ - 1];
  while (begin < end) {
    const int64_t column = is_flat_ ? begin : begin % inner;
    const int64_t n = std::min({kBlock, inner - column, end - begin});
    for (int64_t i = 0; i < frame.operands; ++i) {
      const Input& input = inputs_[static_cast<size_t>(i)];
      const float* from = inputs[i];
      int64_t step = input.flat_step;
      if (!is_flat_) {
        step = input.strides[axes_ - 1];
        int64_t row = begin / inner;
        for (int a = axes_ - 2; a >= 0; --a) {
          from += row % shape_[a] * input.strides[a];
          row /= shape_[a];
        }
      }
      from += column * step;
      if (step == 1 || n == 1) {
        frame.at[i] = const_cast<float*>(from);
        continue;
      }
      float* const to = frame.at[i] = frame.scratch + i * kBlock;
      if (step == 0) {
        std::fill_n(to, n, *from);
      } else {
        for (int64_t k = 0; k < n; ++k) to[k] = from[k * step];
      }
    }
    frame.at[frame.registers - 1] = out;
    frame.kernels.steps.program({code_.data(), static_cast<int64_t>(code_.size()), frame.at, n, run_scalar});
    out += n;
    begin += n;
  }
}

void Program::run(const Context& context, const float* const* inputs, float* out) const {
  if (elements_ == 0) return;
  const int64_t chunks = ceil_div(elements_, kChunk);
  const double operations = static_cast<double>(code_.size()) + static_cast<double>(inputs_.size());
  parallel_for(chunks, kNsPerOperation * operations * static_cast<double>(elements_), [&](int64_t i) {
    if (context.is_cancelled()) return;
    const int64_t end = std::min(elements_, (i + 1) * kChunk);
    run_range(Frame(*this, end - i * kChunk, *context.kernels), inputs, out + i * kChunk, i * kChunk, end);
  });
}

void Program::run_rows(const KernelTable& kernels, const float* const* inputs, float* out, int64_t element,
                       int64_t rows, int64_t stride, int64_t n) const {
  if (stride == n) {
    n *= rows;
    rows = 1;
  }
  const Frame frame(*this, n, kernels);
  for (int64_t row = 0; row < rows; ++row, out += stride, element += stride) {
    run_range(frame, inputs, out, element, element + n);
  }
}

ProgramEpilogue::ProgramEpilogue(const Program& program, const KernelTable& kernels, const Store& store,
                                 const Memory& memory, float* result)
    : program_(program), kernels_(kernels), result_(result) {
  inputs_.push_back(result);
  for (size_t i = 1; i < program.inputs().size(); ++i) {
    inputs_.push_back(store.resolve<float>(program.inputs()[i].operand, memory));
  }
}

void ProgramEpilogue::run(void* first, int64_t rows, int64_t stride, int64_t n) const {
  float* const out = static_cast<float*>(first);
  program_.run_rows(kernels_, inputs_.data(), out, out - result_, rows, stride, n);
}

}  // namespace convmat
