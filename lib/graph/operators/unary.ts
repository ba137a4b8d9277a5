/** Functions of one element: activations, and the plain functions of mathematics. */
import { FLOATS, NUMBERS, SIGNED } from '../elements.js';
import type { Evaluations } from '../evaluate.js';
import type { ElementType, UnaryFunction, Value } from '../graph.js';
import type { AttributeForm, OnnxNode, OnnxOperator } from '../onnx-node.js';

/** Defaults of the attributes that become `alpha` and `beta`. */
interface Parameters {
  readonly alpha?: readonly [name: string, fallback: number];
  readonly beta?: readonly [name: string, fallback: number];
  readonly types?: readonly ElementType[];
}

function unary(fn: UnaryFunction, { alpha, beta, types = FLOATS }: Parameters = {}): OnnxOperator {
  const attributes: Record<string, AttributeForm> = { consumed_inputs: 'ints' };
  for (const parameter of [alpha, beta]) if (parameter !== undefined) attributes[parameter[0]] = 'float';
  return {
    attributes,
    read: (node) => {
      const x = node.input(0);
      node.checkType(x, types);
      const read = (parameter: Parameters['alpha']) =>
        parameter === undefined ? 0 : node.float(...parameter);
      apply(node, fn, x, read(alpha), read(beta));
    },
  };
}

function apply(node: OnnxNode, fn: UnaryFunction, x: Value, alpha = 0, beta = 0): void {
  node.become('Unary', { fn, alpha, beta }, [x], x.type, x.shape);
}

/** Selu's, as float32 holds them. */
const SELU_ALPHA = 1.6732631921768188;
const SELU_GAMMA = 1.0507010221481323;

export const UNARY: Readonly<Record<string, OnnxOperator>> = {
  Abs: unary('Abs', { types: NUMBERS }),
  Ceil: unary('Ceil'),
  Celu: unary('Celu', { alpha: ['alpha', 1] }),
  Clip: { attributes: { min: 'float', max: 'float', consumed_inputs: 'ints' }, read: readClip },
  Cos: unary('Cos'),
  Elu: unary('Elu', { alpha: ['alpha', 1] }),
  Erf: unary('Erf'),
  Exp: unary('Exp'),
  Floor: unary('Floor'),
  Gelu: {
    attributes: { approximate: ['none', 'tanh'] },
    read: (node) => {
      node.checkType(node.input(0), FLOATS);
      apply(node, node.string('approximate', 'none') === 'tanh' ? 'GeluTanh' : 'Gelu', node.input(0));
    },
  },
  HardSigmoid: unary('HardSigmoid', { alpha: ['alpha', 0.2], beta: ['beta', 0.5] }),
  HardSwish: unary('HardSwish'),
  LeakyRelu: unary('LeakyRelu', { alpha: ['alpha', 0.01] }),
  Log: unary('Log'),
  Mish: unary('Mish'),
  Neg: unary('Neg', { types: SIGNED }),
  Not: unary('Not', { types: ['bool'] }),
  Reciprocal: unary('Reciprocal'),
  Relu: unary('Relu', { types: NUMBERS }),
  Round: unary('Round'),
  Selu: unary('Selu', { alpha: ['alpha', SELU_ALPHA], beta: ['gamma', SELU_GAMMA] }),
  Sigmoid: unary('Sigmoid'),
  Sign: unary('Sign', { types: NUMBERS }),
  Sin: unary('Sin'),
  Softplus: unary('Softplus'),
  Softsign: unary('Softsign'),
  Sqrt: unary('Sqrt'),
  Tanh: unary('Tanh'),
  ThresholdedRelu: unary('ThresholdedRelu', { alpha: ['alpha', 1] }),
};

/** Bounds are attributes before opset 11, and operands since; those that nobody knows yet make it Max and Min. */
function readClip(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, NUMBERS);
  if (node.opset < 11) {
    apply(node, 'Clip', x, node.float('min', -Infinity), node.float('max', Infinity));
    return;
  }
  const [low, high] = [node.optional(1), node.optional(2)];
  const isKnown = (bound: Value | null) => bound === null || bound.constant !== null;
  if (isKnown(low) && isKnown(high)) {
    const bound = (value: Value | null, open: number) => (value === null ? open : node.knownNumber(value));
    apply(node, 'Clip', x, bound(low, -Infinity), bound(high, Infinity));
    return;
  }
  const above = low === null ? x : node.apply('Binary', { fn: 'Max' }, [x, low], x.type, x.shape);
  const within = high === null ? above : node.apply('Binary', { fn: 'Min' }, [above, high], x.type, x.shape);
  node.result(0, within);
}

type Scalar = (x: number, alpha: number, beta: number) => number;

/** Each as ONNX defines it; of `Selu`, beta is gamma. */
export const UNARY_FUNCTIONS: Readonly<Record<UnaryFunction, Scalar>> = {
  Abs: (x) => Math.abs(x),
  Ceil: (x) => Math.ceil(x),
  Celu: (x, alpha) => Math.max(x, 0) + Math.min(0, alpha * Math.expm1(x / alpha)),
  Clip: (x, min, max) => Math.min(Math.max(x, min), max),
  Cos: (x) => Math.cos(x),
  Elu: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
  Erf: erf,
  Exp: (x) => Math.exp(x),
  Floor: (x) => Math.floor(x),
  Gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  GeluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
  HardSigmoid: (x, alpha, beta) => Math.max(0, Math.min(1, alpha * x + beta)),
  HardSwish: (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)),
  LeakyRelu: (x, alpha) => (x < 0 ? alpha * x : x),
  Log: (x) => Math.log(x),
  Mish: (x) => x * Math.tanh(softplus(x)),
  Neg: (x) => -x,
  Not: (x) => (x === 0 ? 1 : 0),
  Reciprocal: (x) => 1 / x,
  Relu: (x) => Math.max(x, 0),
  Round: roundToEven,
  Selu: (x, alpha, gamma) => gamma * (x > 0 ? x : alpha * Math.expm1(x)),
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Sign: (x) => Math.sign(x),
  Sin: (x) => Math.sin(x),
  Softplus: softplus,
  Softsign: (x) => x / (1 + Math.abs(x)),
  Sqrt: (x) => Math.sqrt(x),
  Tanh: (x) => Math.tanh(x),
  ThresholdedRelu: (x, alpha) => (x > alpha ? x : 0),
};

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** The nearest integer, of halves the even one. */
export function roundToEven(x: number): number {
  const nearest = Math.round(x);
  return Math.abs(x % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

// Below this the series has the fewer steps.
const ERF_SERIES = 3;
// There erf is 1 in double precision.
const ERF_SATURATES = 6;

/**
 * erf(x) = 2/√π·e^(−x²)·Σ 2ⁿ·x^(2n+1)/(1·3·…·(2n+1)), whose terms are all positive; for large x by the continued fraction
 * of erfc. Source: Abramowitz and Stegun 7.1.6, 7.1.14.
 */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (Number.isNaN(z)) return NaN;
  if (z > ERF_SATURATES) return Math.sign(x);
  const square = z * z;
  if (z < ERF_SERIES) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (2 * square) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-square) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-square) / (Math.sqrt(Math.PI) * (z + fraction)));
}

export const EVALUATE_UNARY: Evaluations<'Unary'> = {
  Unary: ({ attributes: { fn, alpha, beta }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    const [from, to] = [x.data, y.data];
    if (fn === 'Relu') {
      // The commonest of all, in a loop that is compiled for it alone.
      for (let i = 0; i < from.length; i++) to[i] = Math.max(from[i], 0);
      return;
    }
    const scalar = UNARY_FUNCTIONS[fn];
    for (let i = 0; i < from.length; i++) to[i] = scalar(from[i], alpha, beta);
  },
};
