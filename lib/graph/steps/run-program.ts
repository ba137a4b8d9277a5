/** Elementwise programs in JavaScript: an instruction at a time over blocks that stay in cache. */

import type { ProgramOp } from '../../backend/steps.js';
import { erf, roundToEven } from '../operators/unary.js';
import type { Instruction, Program } from './program.js';

const BLOCK = 2048;

/**
 * out ← the program of its operands, each of which lies as its strides say.
 *
 * `out` may be an operand that lies as the result does.
 */
export function runProgram(program: Program, operands: readonly Float32Array[], out: Float32Array): void {
  const { shape, constants, temporaries, code } = program;
  const inner = shape[shape.length - 1];
  const rows = shape.slice(0, -1).reduce((count, size) => count * size, 1);
  const block = Math.min(BLOCK, inner);
  const fixed = constants.map((value) => new Float32Array(block).fill(value));
  const spare = Array.from({ length: temporaries }, () => new Float32Array(block));
  const scratch = program.operands.map(() => new Float32Array(block));
  for (let row = 0; row < rows; row++) {
    const starts = program.operands.map(({ strides }) => startOf(row, shape, strides));
    for (let column = 0; column < inner; column += block) {
      const n = Math.min(block, inner - column);
      const registers = program.operands.map(({ strides }, i): Float32Array => {
        const step = strides[shape.length - 1];
        const start = starts[i] + column * step;
        if (step === 1) return operands[i].subarray(start, start + n);
        const to = scratch[i];
        if (step === 0) return to.fill(operands[i][start]);
        for (let k = 0; k < n; k++) to[k] = operands[i][start + k * step];
        return to;
      });
      const at = row * inner + column;
      registers.push(...fixed, ...spare, out.subarray(at, at + n));
      for (const instruction of code) runInstruction(instruction, registers, n);
    }
  }
}

function startOf(row: number, shape: readonly number[], strides: readonly number[]): number {
  let start = 0;
  for (let axis = shape.length - 2, rest = row; axis >= 0; axis--) {
    start += (rest % shape[axis]) * strides[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return start;
}

function runInstruction(
  { op, to, x, z, alpha, beta }: Instruction,
  registers: readonly Float32Array[],
  n: number,
): void {
  OPERATIONS[op](registers[x], registers[z], registers[to], n, Math.fround(alpha), Math.fround(beta));
}

type Operation = (
  x: Float32Array,
  z: Float32Array,
  to: Float32Array,
  n: number,
  alpha: number,
  beta: number,
) => void;

const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const softplus = (v: number) => (v > 20 ? v : Math.log1p(Math.exp(v)));

/** Applies a function of one element. What is applied to each would be a call of its own: V8 inlines it when it is known here. */
const each =
  (f: (v: number, alpha: number, beta: number) => number): Operation =>
  (x, _z, to, n, alpha, beta) => {
    for (let i = 0; i < n; i++) to[i] = f(x[i], alpha, beta);
  };
const pairs =
  (f: (v: number, w: number) => number): Operation =>
  (x, z, to, n) => {
    for (let i = 0; i < n; i++) to[i] = f(x[i], z[i]);
  };

const OPERATIONS: Readonly<Record<ProgramOp, Operation>> = {
  add: (x, z, to, n) => {
    for (let i = 0; i < n; i++) to[i] = x[i] + z[i];
  },
  subtract: (x, z, to, n) => {
    for (let i = 0; i < n; i++) to[i] = x[i] - z[i];
  },
  multiply: (x, z, to, n) => {
    for (let i = 0; i < n; i++) to[i] = x[i] * z[i];
  },
  divide: (x, z, to, n) => {
    for (let i = 0; i < n; i++) to[i] = x[i] / z[i];
  },
  minimum: pairs(Math.min),
  maximum: pairs(Math.max),
  power: pairs((v, w) => v ** w),
  prelu: (x, z, to, n) => {
    for (let i = 0; i < n; i++) to[i] = x[i] < 0 ? x[i] * z[i] : x[i];
  },
  addClamp: (x, z, to, n, alpha, beta) => {
    for (let i = 0; i < n; i++) to[i] = Math.min(beta, Math.max(alpha, x[i] + z[i]));
  },
  copy: each((v) => v),
  affine: (x, _z, to, n, alpha, beta) => {
    for (let i = 0; i < n; i++) to[i] = alpha * x[i] + beta;
  },
  clamp: (x, _z, to, n, alpha, beta) => {
    for (let i = 0; i < n; i++) to[i] = Math.min(beta, Math.max(alpha, x[i]));
  },
  leakyRelu: (x, _z, to, n, alpha) => {
    for (let i = 0; i < n; i++) to[i] = x[i] < 0 ? alpha * x[i] : x[i];
  },
  thresholdedRelu: each((v, alpha) => (v > alpha ? v : 0)),
  hardSigmoid: each((v, alpha, beta) => Math.min(1, Math.max(0, alpha * v + beta))),
  hardSwish: each((v, alpha, beta) => v * Math.min(1, Math.max(0, alpha * v + beta))),
  absolute: each(Math.abs),
  negate: each((v) => -v),
  sign: each(Math.sign),
  floor: each(Math.floor),
  ceil: each(Math.ceil),
  round: each(roundToEven),
  squareRoot: each(Math.sqrt),
  reciprocal: each((v) => 1 / v),
  exponential: each(Math.exp),
  sigmoid: each(sigmoid),
  swish: each((v, alpha) => v * sigmoid(alpha * v)),
  hyperbolicTangent: each(Math.tanh),
  errorFunction: each(erf),
  gelu: each((v) => 0.5 * v * (1 + erf(v * Math.SQRT1_2))),
  elu: each((v, alpha, beta) => beta * (v < 0 ? alpha * Math.expm1(v) : v)),
  celu: each((v, alpha) => (v < 0 ? alpha * Math.expm1(v / alpha) : v)),
  softsign: each((v) => v / (1 + Math.abs(v))),
  logarithm: each(Math.log),
  sine: each(Math.sin),
  cosine: each(Math.cos),
  softplus: each(softplus),
  mish: each((v) => v * Math.tanh(softplus(v))),
};
