// Elementwise programs: what a run of instructions over vector registers takes.
#pragma once

#include <cstdint>

namespace convmat {

// In the order of lib/backend/program.ts. x is the first operand, z the second.
enum class ProgramOp : int32_t {
  add,
  subtract,
  multiply,
  divide,
  minimum,
  maximum,
  power,
  prelu,             // x < 0 ? z x : x
  copy,              // x
  affine,            // alpha x + beta, rounded once where the hardware can
  clamp,             // to [alpha, beta]; NaN passes through
  leaky_relu,        // x < 0 ? alpha x : x
  thresholded_relu,  // x > alpha ? x : 0
  hard_sigmoid,      // alpha x + beta, clamped to [0, 1]
  hard_swish,        // x times that
  absolute,
  negate,
  sign,
  floor,
  ceil,
  round,  // halves to even
  square_root,
  reciprocal,
  exponential,
  sigmoid,
  swish,  // x / (1 + e^(-alpha x))
  hyperbolic_tangent,
  error_function,
  gelu,      // x (1 + erf(x / sqrt 2)) / 2
  elu,       // beta (x < 0 ? alpha (e^x - 1) : x)
  celu,      // x < 0 ? alpha (e^(x / alpha) - 1) : x
  softsign,  // x / (1 + |x|)
  logarithm,
  sine,
  cosine,
  softplus,  // ln(1 + e^x)
  mish,      // x tanh(ln(1 + e^x))
};
constexpr ProgramOp kLastProgramOp = ProgramOp::mish;
// From here on, an element at a time by the C library.
constexpr ProgramOp kFirstScalarOp = ProgramOp::logarithm;
constexpr bool is_binary(ProgramOp op) { return op <= ProgramOp::prelu; }
constexpr bool is_scalar(ProgramOp op) { return op == ProgramOp::power || op >= kFirstScalarOp; }

struct ProgramInstruction {
  ProgramOp op;
  int32_t to, x, z;  // registers
  float alpha, beta;
};

// Instructions over `n` elements of each register, one instruction after the other. A register that is
// written may be one that is read.
struct ProgramBlock {
  const ProgramInstruction* code;
  int64_t count;
  float* const* registers;
  int64_t n;
  // What the C library computes: it must not run in code of an instruction set of its own.
  void (*scalar)(const ProgramInstruction&, const float* x, const float* z, float* to, int64_t n);
};
using ProgramFn = void(const ProgramBlock&);

}  // namespace convmat
