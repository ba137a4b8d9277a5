// Elementwise programs. An instruction passes over a block that stays in L1 before the next one does, so that
// each is one plain loop, and memory is read and written once however long the program is.
#pragma once

#include "table/program.h"

namespace convmat::CONVMAT_ISA {
namespace {

// e^x to 2 units in the last place; infinity from 88.73 on, 0 below -104.
CONVMAT_INLINE Vec<float> exponential(Vec<float> x) {
  using V = Vec<float>;
  const V bounded = min(broadcast(89.0f), max(broadcast(-104.0f), x));
  const V n = round_even(mul(bounded, broadcast(1.44269504f)));
  // ln 2 in two parts, whose first has few enough bits for n times it to be exact.
  const V r = fnma(n, broadcast(-2.12194440e-4f), fnma(n, broadcast(0.693359375f), bounded));
  V p = broadcast(1.3950602e-3f);
  p = fma(p, r, broadcast(8.3689531e-3f));
  p = fma(p, r, broadcast(4.1666206e-2f));
  p = fma(p, r, broadcast(0.16666518f));
  p = fma(p, r, broadcast(0.5f));
  p = fma(mul(p, r), r, r);
  p = add(p, broadcast(1.0f));
  // In two steps: what is too small for a normal number is rounded as such, what is too large is infinity.
  const V half = round_even(mul(n, broadcast(0.5f)));
  return mul(mul(p, power_of_two(half)), power_of_two(sub(n, half)));
}

CONVMAT_INLINE Vec<float> sigmoid(Vec<float> x) {
  const auto one = broadcast(1.0f);
  return div(one, add(one, exponential(negate(x))));
}

CONVMAT_INLINE Vec<float> absolute(Vec<float> x) { return max(negate(x), x); }

// Odd polynomials near 0, where the difference of 1 and an exponential would have no digits left.
CONVMAT_INLINE Vec<float> hyperbolic_tangent(Vec<float> x) {
  using V = Vec<float>;
  const V s = mul(x, x), size = absolute(x), one = broadcast(1.0f);
  V p = broadcast(-5.7170447e-3f);
  p = fma(p, s, broadcast(2.0650586e-2f));
  p = fma(p, s, broadcast(-5.3743496e-2f));
  p = fma(p, s, broadcast(0.13331491f));
  p = fma(p, s, broadcast(-0.33333284f));
  const V near = fma(mul(p, s), x, x);
  const V e = exponential(add(size, size));
  const V far = fnma(broadcast(2.0f), div(one, add(e, one)), one);
  const V signed_far = if_less(x, zero<float>(), negate(far), far);
  return if_less(size, broadcast(0.625f), near, signed_far);
}

CONVMAT_INLINE Vec<float> error_function(Vec<float> x) {
  using V = Vec<float>;
  const V s = mul(x, x), size = min(broadcast(4.0f), absolute(x)), one = broadcast(1.0f);
  V p = broadcast(7.8891229e-5f);
  p = fma(p, s, broadcast(-8.0208422e-4f));
  p = fma(p, s, broadcast(5.1895357e-3f));
  p = fma(p, s, broadcast(-2.6854444e-2f));
  p = fma(p, s, broadcast(0.11283600f));
  p = fma(p, s, broadcast(-0.37612626f));
  p = fma(p, s, broadcast(0.12837917f));
  const V near = fma(p, x, x);
  // The logarithm of 1 - erf.
  V q = broadcast(1.8557319e-4f);
  q = fma(q, size, broadcast(-2.9395996e-3f));
  q = fma(q, size, broadcast(2.1805290e-2f));
  q = fma(q, size, broadcast(-0.10303731f));
  q = fma(q, size, broadcast(-0.63822573f));
  q = fma(q, size, broadcast(-1.1270400f));
  q = fma(q, size, broadcast(-3.5372822e-4f));
  const V far = sub(one, exponential(q));
  const V signed_far = if_less(x, zero<float>(), negate(far), far);
  return if_less(absolute(x), one, near, signed_far);
}

// e^x - 1 for x < 0, without losing the digits of small x.
CONVMAT_INLINE Vec<float> exponential_less_one(Vec<float> x) {
  const auto one = broadcast(1.0f), half = mul(x, broadcast(0.5f));
  const auto t = hyperbolic_tangent(half);  // e^x - 1 = 2 t / (1 - t)
  return div(add(t, t), sub(one, t));
}

template <class Body>
CONVMAT_INLINE void program_unary(const float* x, float* to, int64_t n, Body body) {
  constexpr int lanes = Vec<float>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(to + i, body(load(x + i)));
  if (i < n) {
    const auto tail = first_lanes<float>(static_cast<int>(n - i));
    store(to + i, tail, body(load(x + i, tail)));
  }
}

template <class Body>
CONVMAT_INLINE void program_binary(const float* x, const float* z, float* to, int64_t n, Body body) {
  constexpr int lanes = Vec<float>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(to + i, body(load(x + i), load(z + i)));
  if (i < n) {
    const auto tail = first_lanes<float>(static_cast<int>(n - i));
    store(to + i, tail, body(load(x + i, tail), load(z + i, tail)));
  }
}

CONVMAT_NOINLINE void program_instruction(const ProgramInstruction& f, const float* x, const float* z,
                                          float* to, int64_t n) {
  using V = Vec<float>;
  const V alpha = broadcast(f.alpha), beta = broadcast(f.beta), none = zero<float>(), one = broadcast(1.0f);
  const auto unary = [&](auto body) { program_unary(x, to, n, body); };
  const auto binary = [&](auto body) { program_binary(x, z, to, n, body); };
  switch (f.op) {
    case ProgramOp::add:
      return binary([](V a, V b) { return add(a, b); });
    case ProgramOp::subtract:
      return binary([](V a, V b) { return sub(a, b); });
    case ProgramOp::multiply:
      return binary([](V a, V b) { return mul(a, b); });
    case ProgramOp::divide:
      return binary([](V a, V b) { return div(a, b); });
    case ProgramOp::minimum:  // a NaN on either side comes through
      return binary([](V a, V b) { return if_equal(a, a, min(a, b), a); });
    case ProgramOp::maximum:
      return binary([](V a, V b) { return if_equal(a, a, max(a, b), a); });
    case ProgramOp::add_clamp:
      return binary([&](V a, V b) { return min(beta, max(alpha, add(a, b))); });
    case ProgramOp::prelu:
      return binary([&](V a, V b) { return if_less(a, none, mul(a, b), a); });
    case ProgramOp::copy:
      return unary([](V a) { return a; });
    case ProgramOp::affine:
      return unary([&](V a) { return fma(alpha, a, beta); });
    case ProgramOp::clamp:
      return unary([&](V a) { return min(beta, max(alpha, a)); });
    case ProgramOp::leaky_relu:
      return unary([&](V a) { return if_less(a, none, mul(alpha, a), a); });
    case ProgramOp::thresholded_relu:
      return unary([&](V a) { return if_less(alpha, a, a, none); });
    case ProgramOp::hard_sigmoid:
      return unary([&](V a) { return min(one, max(none, fma(alpha, a, beta))); });
    case ProgramOp::hard_swish:
      return unary([&](V a) { return mul(a, min(one, max(none, fma(alpha, a, beta)))); });
    case ProgramOp::absolute:
      return unary([](V a) { return absolute(a); });
    case ProgramOp::negate:
      return unary([](V a) { return negate(a); });
    case ProgramOp::sign:
      return unary([&](V a) { return if_less(a, none, negate(one), if_less(none, a, one, a)); });
    case ProgramOp::floor:
      return unary([&](V a) {
        const V r = round_even(a);
        return if_less(a, r, sub(r, one), r);
      });
    case ProgramOp::ceil:
      return unary([&](V a) {
        const V r = round_even(a);
        return if_less(r, a, add(r, one), r);
      });
    case ProgramOp::round:
      return unary([](V a) { return round_even(a); });
    case ProgramOp::square_root:
      return unary([](V a) { return square_root(a); });
    case ProgramOp::reciprocal:
      return unary([&](V a) { return div(one, a); });
    case ProgramOp::exponential:
      return unary([](V a) { return exponential(a); });
    case ProgramOp::sigmoid:
      return unary([](V a) { return sigmoid(a); });
    case ProgramOp::swish:
      return unary([&](V a) { return mul(a, sigmoid(mul(alpha, a))); });
    case ProgramOp::hyperbolic_tangent:
      return unary([](V a) { return hyperbolic_tangent(a); });
    case ProgramOp::error_function:
      return unary([](V a) { return error_function(a); });
    case ProgramOp::gelu:
      return unary([&](V a) {
        const V half = mul(a, broadcast(0.5f));
        return fma(half, error_function(mul(a, broadcast(0.70710678f))), half);
      });
    case ProgramOp::elu:
      return unary([&](V a) { return mul(beta, if_less(a, none, mul(alpha, exponential_less_one(a)), a)); });
    case ProgramOp::celu:
      return unary([&](V a) { return if_less(a, none, mul(alpha, exponential_less_one(div(a, alpha))), a); });
    case ProgramOp::softsign:
      return unary([&](V a) { return div(a, add(one, absolute(a))); });
    default:
      return;
  }
}

void program_block(const ProgramBlock& f) {
  for (int64_t i = 0; i < f.count; ++i) {
    const ProgramInstruction& instruction = f.code[i];
    const float* const x = f.registers[instruction.x];
    const float* const z = f.registers[instruction.z];
    float* const to = f.registers[instruction.to];
    if (is_scalar(instruction.op)) {
      f.scalar(instruction, x, z, to, f.n);
    } else {
      program_instruction(instruction, x, z, to, f.n);
    }
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
