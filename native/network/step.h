// What a network is a list of: each step has one .cc, which reads it from words and runs it.
#pragma once

#include <cstddef>
#include <memory>

#include "network/operand.h"
#include "network/packed_weights.h"
#include "runtime/context.h"

namespace convmat {

// What a step is made from, and what it reads of itself.
struct StepSource {
  const KernelTable& kernels;
  Words& words;
  Store& store;
  PackedWeights& packed;         // receives what is packed
  const PackedWeights* similar;  // lends what another network has; null when there is none
};

class Step {
 public:
  virtual ~Step() = default;
  // Reads and writes the operands that it was made with, on the calling thread and the pool's.
  virtual void run(const Context& context, const Store& store, const Memory& memory) const = 0;
  // Memory that it holds.
  virtual size_t bytes() const { return 0; }
};

// clang-format off
#define CONVMAT_STEP_KINDS(V) \
  V(conv, "conv") \
  V(max_pool, "maxPool") \
  V(average_pool, "averagePool") \
  V(program, "program") \
  V(copy, "copy") \
  V(fill, "fill") \
  V(reduce, "reduce") \
  V(softmax, "softmax") \
  V(normalise, "normalise") \
  V(response_normalise, "responseNormalise") \
  V(resample, "resample") \
  V(matmul, "matmul") \
  V(gather, "gather") \
  V(reblock, "reblock") \
  V(quantize_linear, "quantizeLinear") \
  V(dequantize_linear, "dequantizeLinear") \
  V(qlinear_conv, "qlinearConv") \
  V(qlinear_add, "qlinearAdd") \
  V(qlinear_mean, "qlinearMean") \
  V(row_products, "rowProducts")
// clang-format on
#define CONVMAT_VALUE(value, name) value,
enum class StepKind : int32_t { CONVMAT_STEP_KINDS(CONVMAT_VALUE) };
#undef CONVMAT_VALUE
constexpr StepKind kLastStepKind = StepKind::row_products;

// How a row is reduced, as ONNX names it.
// clang-format off
#define CONVMAT_REDUCTIONS(V) \
  V(sum, "Sum") \
  V(mean, "Mean") \
  V(maximum, "Max") \
  V(minimum, "Min") \
  V(product, "Prod") \
  V(l1, "L1") \
  V(l2, "L2") \
  V(log_sum, "LogSum") \
  V(square_sum, "SumSquare") \
  V(log_sum_exp, "LogSumExp")
// clang-format on
#define CONVMAT_VALUE(value, name) value,
enum class Reduction : int32_t { CONVMAT_REDUCTIONS(CONVMAT_VALUE) };
#undef CONVMAT_VALUE

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
ReadStep read_reblock_step;             // reblock_step.cc
ReadStep read_quantize_step;            // quantized_steps.cc
ReadStep read_dequantize_step;          // quantized_steps.cc
ReadStep read_qlinear_conv_step;        // qlinear_conv_step.cc
ReadStep read_qlinear_add_step;         // quantized_steps.cc
ReadStep read_qlinear_mean_step;        // quantized_steps.cc
ReadStep read_row_products_step;        // row_products_step.cc

}  // namespace convmat
