// Elementwise programs: what a run of instructions over vector registers takes.
#pragma once

#include <cstdint>

namespace convmat {

// x is the first operand, z the second; the others, of one element each, do what their names say.
//   prelu              x < 0 ? z x : x
//   add_clamp          x + z, clamped to [alpha, beta]; NaN passes through
//   copy               x
//   affine             alpha x + beta, rounded once where the hardware can
//   clamp              to [alpha, beta]; NaN passes through
//   leaky_relu         x < 0 ? alpha x : x
//   thresholded_relu   x > alpha ? x : 0
//   hard_sigmoid       alpha x + beta, clamped to [0, 1]
//   hard_swish         x times that
//   round              halves to even
//   swish              x / (1 + e^(-alpha x))
//   gelu               x (1 + erf(x / sqrt 2)) / 2
//   elu                beta (x < 0 ? alpha (e^x - 1) : x)
//   celu               x < 0 ? alpha (e^(x / alpha) - 1) : x
//   softsign           x / (1 + |x|)
//   softplus           ln(1 + e^x)
//   mish               x tanh(ln(1 + e^x))
// clang-format off
#define CONVMAT_PROGRAM_OPS(V) \
  V(add, "add") \
  V(subtract, "subtract") \
  V(multiply, "multiply") \
  V(divide, "divide") \
  V(minimum, "minimum") \
  V(maximum, "maximum") \
  V(power, "power") \
  V(prelu, "prelu") \
  V(add_clamp, "addClamp") \
  V(copy, "copy") \
  V(affine, "affine") \
  V(clamp, "clamp") \
  V(leaky_relu, "leakyRelu") \
  V(thresholded_relu, "thresholdedRelu") \
  V(hard_sigmoid, "hardSigmoid") \
  V(hard_swish, "hardSwish") \
  V(absolute, "absolute") \
  V(negate, "negate") \
  V(sign, "sign") \
  V(floor, "floor") \
  V(ceil, "ceil") \
  V(round, "round") \
  V(square_root, "squareRoot") \
  V(reciprocal, "reciprocal") \
  V(exponential, "exponential") \
  V(sigmoid, "sigmoid") \
  V(swish, "swish") \
  V(hyperbolic_tangent, "hyperbolicTangent") \
  V(error_function, "errorFunction") \
  V(gelu, "gelu") \
  V(elu, "elu") \
  V(celu, "celu") \
  V(softsign, "softsign") \
  V(logarithm, "logarithm") \
  V(sine, "sine") \
  V(cosine, "cosine") \
  V(softplus, "softplus") \
  V(mish, "mish")
// clang-format on

#define CONVMAT_VALUE(value, name) value,
enum class ProgramOp : int32_t { CONVMAT_PROGRAM_OPS(CONVMAT_VALUE) };
#undef CONVMAT_VALUE
constexpr ProgramOp kLastProgramOp = ProgramOp::mish;
// From here on, an element at a time by the C library.
constexpr ProgramOp kFirstScalarOp = ProgramOp::logarithm;
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
