// Elementwise programs over broadcast operands: a step of its own, or what is left to do with another step's
// result while that is in cache.
#pragma once

#include <cstdint>
#include <vector>

#include "network/step.h"
#include "runtime/epilogue.h"
#include "table/table.h"

namespace convmat {

constexpr int kMostProgramAxes = 8;

class Program {
 public:
  // An operand, and how far it moves along each axis of the result, in elements.
  struct Input {
    Operand operand;
    int64_t strides[kMostProgramAxes];
    int64_t flat_step;  // of a flat program: 0 for one element, 1 for what lies as the result
  };

  // Axes, operands, constants and code. Operand 0 of what finishes another step's result is that result,
  // which has no words of its own.
  Program(StepSource& source, bool finishes_result);

  int64_t elements() const { return elements_; }
  const std::vector<Input>& inputs() const { return inputs_; }
  size_t bytes() const { return inputs_.size() * sizeof(Input) + code_.size() * sizeof(ProgramInstruction); }

  // out[..] <-- the program of inputs[..], every element. `out` may be one of the inputs.
  void run(const Context& context, const float* const* inputs, float* out) const;

  // The same for rows of n elements `stride` apart, of which the first begins with element `element`.
  void run_rows(const KernelTable& kernels, const float* const* inputs, float* out, int64_t element,
                int64_t rows, int64_t stride, int64_t n) const;

 private:
  struct Frame;
  void run_range(const Frame& frame, const float* const* inputs, float* out, int64_t begin,
                 int64_t end) const;

  int axes_;
  int64_t shape_[kMostProgramAxes];
  int64_t elements_;
  std::vector<Input> inputs_;
  std::vector<float> constants_;
  int64_t temporaries_;
  std::vector<ProgramInstruction> code_;
  bool is_flat_ = true;  // every operand lies as the result, or is one element
};

// A program that finishes what a convolution writes.
class ProgramEpilogue final : public Epilogue {
 public:
  ProgramEpilogue(const Program& program, const KernelTable& kernels, const Store& store,
                  const Memory& memory, float* result);
  void run(void* first, int64_t rows, int64_t stride, int64_t n) const override;
  // The whole result, by one pass.
  void run_all(const Context& context) const { program_.run(context, inputs_.data(), result_); }

 private:
  const Program& program_;
  const KernelTable& kernels_;
  std::vector<const float*> inputs_;
  float* const result_;
};

}  // namespace convmat
