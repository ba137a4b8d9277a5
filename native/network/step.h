// What a network is a list of: each step has one .cc, which reads it from words and runs it.
#pragma once

#include <cstddef>
#include <memory>

#include "network/operand.h"
#include "network/packed_convs.h"
#include "runtime/context.h"

namespace convmat {

// What a step is made from, and what it reads of itself.
struct StepSource {
  const KernelTable& kernels;
  Words& words;
  Store& store;
  PackedConvs& packed;         // receives what is packed
  const PackedConvs* similar;  // lends what another network has; null when there is none
};

class Step {
 public:
  virtual ~Step() = default;
  // Reads and writes the operands that it was made with, on the calling thread and the pool's.
  virtual void run(const Context& context, const Store& store, const Memory& memory) const = 0;
  // Memory that it holds.
  virtual size_t bytes() const { return 0; }
};

// In the order of lib/graph/wire.ts.
enum class StepKind : int32_t {
  conv,
  max_pool,
  average_pool,
  program,
  copy,
  fill,
  reduce,
  softmax,
  normalise,
  response_normalise,
  resample,
  matmul,
  gather,
};
constexpr StepKind kLastStepKind = StepKind::gather;

using ReadStep = std::unique_ptr<Step>(StepSource& source);
ReadStep read_conv_step;                // conv_step.cc
ReadStep read_max_pool_step;            // pool_step.cc
ReadStep read_average_pool_step;        // pool_step.cc
ReadStep read_program_step;             // program_step.cc
ReadStep read_copy_step;                // copy_step.cc
ReadStep read_fill_step;                // copy_step.cc
ReadStep read_reduce_step;              // row_steps.cc
ReadStep read_softmax_step;             // row_steps.cc
ReadStep read_normalise_step;           // row_steps.cc
ReadStep read_response_normalise_step;  // response_normalise_step.cc
ReadStep read_resample_step;            // resample_step.cc
ReadStep read_matmul_step;              // matmul_step.cc
ReadStep read_gather_step;              // gather_step.cc

}  // namespace convmat
