/** Chains of elementwise operations as one program over registers: what native/table/program.h describes. */

import { PROGRAM_OPS, type ProgramOp } from '../../backend/steps.js';
import type { GraphNode, NodeOf, Value } from '../graph.js';
import { inputOf, outputOf } from '../operands.js';
import { broadcastStrides, joinAxes } from '../shapes.js';
import type { Words } from './words.js';

/** Registers: operands first, constants behind them, then what instructions leave, and the result as the last. */
export interface Instruction {
  readonly op: ProgramOp;
  readonly to: number;
  readonly x: number;
  readonly z: number;
  readonly alpha: number;
  readonly beta: number;
}

export interface Program {
  /** Of the result, neighbouring axes merged where all operands allow it. */
  readonly shape: readonly number[];
  readonly operands: readonly { readonly value: number; readonly strides: readonly number[] }[];
  readonly constants: readonly number[];
  readonly temporaries: number;
  readonly code: readonly Instruction[];
}

const MOST_AXES = 8;
const MOST_REGISTERS = 48;

type Elementwise = NodeOf<'Unary'> | NodeOf<'Binary'>;

/** Whether a node can be part of a program. */
export function isElementwise(node: GraphNode, values: readonly Value[]): node is Elementwise {
  if (node.op !== 'Unary' && node.op !== 'Binary') return false;
  const isFloat = (id: number | null) => id !== null && values[id].type === 'float32';
  if (!node.inputs.every(isFloat) || !node.outputs.every(isFloat)) return false;
  if (values[outputOf(node)].shape.length > MOST_AXES) return false;
  return node.op === 'Unary' ? node.attributes.fn !== 'Not' : node.attributes.fn in BINARY;
}

const BINARY: Readonly<Partial<Record<NodeOf<'Binary'>['attributes']['fn'], ProgramOp>>> = {
  Add: 'add',
  Sub: 'subtract',
  Mul: 'multiply',
  Div: 'divide',
  Min: 'minimum',
  Max: 'maximum',
  Pow: 'power',
  PRelu: 'prelu',
};

/** An instruction before registers have numbers: its operands are values, constants or earlier instructions. */
interface Draft {
  readonly op: ProgramOp;
  readonly x: Source;
  readonly z: Source | null;
  readonly alpha: number;
  readonly beta: number;
}
type Source = { readonly value: number } | { readonly constant: number } | Draft;

const isDraft = (source: Source): source is Draft => 'op' in source;

/**
 * Compiles nodes in topological order, of which the last writes the result.
 *
 * @param first  A value that is operand 0: the result of another step, which the program finishes in place.
 */
export function compileProgram(
  nodes: readonly Elementwise[],
  values: readonly Value[],
  first: number | null,
): Program | null {
  const last = nodes[nodes.length - 1];
  const result = values[outputOf(last)];
  const made = new Map<number, Draft>();
  const sourceOf = (id: number): Source => {
    const draft = made.get(id);
    if (draft !== undefined) return draft;
    const { constant } = values[id];
    if (constant !== null && id !== first) {
      const scalar =
        constant.length > 0 && constant.length <= 4096 && constant.every((v) => v === constant[0]);
      if (scalar) return { constant: constant[0] };
    }
    return { value: id };
  };
  for (const node of nodes) {
    const draft =
      node.op === 'Unary'
        ? unary(node, sourceOf(inputOf(node, 0)))
        : binary(node, sourceOf(inputOf(node, 0)), sourceOf(inputOf(node, 1)));
    made.set(outputOf(node), draft);
  }
  const final = made.get(result.id);
  return final === undefined ? null : allocateRegisters(final, result, values, first);
}

function of(op: ProgramOp, x: Source, z: Source | null = null, alpha = 0, beta = 0): Draft {
  return { op, x, z, alpha, beta };
}

function unary({ attributes: { fn, alpha, beta } }: NodeOf<'Unary'>, x: Source): Draft {
  switch (fn) {
    case 'Relu':
      return clamp(x, 0, Infinity);
    case 'Clip':
      return clamp(x, alpha, beta);
    case 'HardSigmoid':
      return of('hardSigmoid', x, null, alpha, beta);
    case 'HardSwish':
      return of('hardSwish', x, null, 1 / 6, 0.5);
    case 'Elu':
      return of('elu', x, null, alpha, 1);
    case 'Selu':
      return of('elu', x, null, alpha, beta);
    case 'Celu':
      return of('celu', x, null, alpha);
    case 'LeakyRelu':
      return of('leakyRelu', x, null, alpha);
    case 'ThresholdedRelu':
      return of('thresholdedRelu', x, null, alpha);
    case 'GeluTanh': {
      const cubic = of('multiply', of('affine', of('multiply', x, x), null, 0.044715, 1), x);
      const t = of('hyperbolicTangent', of('affine', cubic, null, Math.sqrt(2 / Math.PI), 0));
      return of('multiply', of('affine', t, null, 0.5, 0.5), x);
    }
    default:
      return of(PLAIN[fn], x);
  }
}

type PlainFunction = Exclude<
  NodeOf<'Unary'>['attributes']['fn'],
  | 'Relu'
  | 'Clip'
  | 'HardSigmoid'
  | 'HardSwish'
  | 'Elu'
  | 'Selu'
  | 'Celu'
  | 'LeakyRelu'
  | 'ThresholdedRelu'
  | 'GeluTanh'
>;
const PLAIN: Readonly<Record<PlainFunction, ProgramOp>> = {
  Abs: 'absolute',
  Ceil: 'ceil',
  Cos: 'cosine',
  Erf: 'errorFunction',
  Exp: 'exponential',
  Floor: 'floor',
  Gelu: 'gelu',
  Log: 'logarithm',
  Mish: 'mish',
  Neg: 'negate',
  Not: 'copy', // never asked for: isElementwise keeps it out
  Reciprocal: 'reciprocal',
  Round: 'round',
  Sigmoid: 'sigmoid',
  Sign: 'sign',
  Sin: 'sine',
  Softplus: 'softplus',
  Softsign: 'softsign',
  Sqrt: 'squareRoot',
  Tanh: 'hyperbolicTangent',
};

function binary({ attributes: { fn } }: NodeOf<'Binary'>, x: Source, z: Source): Draft {
  const numberOf = (source: Source) => ('constant' in source ? source.constant : null);
  const [a, b] = [numberOf(x), numberOf(z)];
  if (fn === 'Add' && (a !== null || b !== null)) return affine(a === null ? x : z, 1, a ?? b ?? 0);
  if (fn === 'Mul' && (a !== null || b !== null)) return affine(a === null ? x : z, a ?? b ?? 0, 0);
  if (fn === 'Sub' && b !== null) return affine(x, 1, -b);
  if (fn === 'Sub' && a !== null) return affine(z, -1, a);
  if (fn === 'Div' && b !== null && b !== 0) return affine(x, 1 / b, 0);
  if (fn === 'Pow' && b === 2) return of('multiply', x, x);
  if (fn === 'Pow' && b === 0.5) return of('squareRoot', x);
  if (fn === 'Pow' && b === 1) return of('copy', x);
  if (fn === 'PRelu' && b !== null) return of('leakyRelu', x, null, b);
  if (fn === 'Mul') {
    for (const [gate, other] of [
      [x, z],
      [z, x],
    ]) {
      if (isDraft(gate) && gate.op === 'sigmoid' && same(gate.x, other)) return of('swish', other, null, 1);
    }
  }
  const op = BINARY[fn];
  if (op === undefined) throw new Error(`${fn} is no part of a program`);
  return of(op, x, z);
}

/** A sum that nothing else reads is clamped in the same pass: programs are trees but for what is read twice. */
function clamp(x: Source, alpha: number, beta: number): Draft {
  if (isDraft(x) && x.op === 'add') return of('addClamp', x.x, x.z, alpha, beta);
  return of('clamp', x, null, alpha, beta);
}

/** αx + β; of a product that was one already, without another rounding. */
function affine(x: Source, alpha: number, beta: number): Draft {
  if (isDraft(x) && x.op === 'affine' && x.beta === 0) return of('affine', x.x, null, x.alpha * alpha, beta);
  return of('affine', x, null, alpha, beta);
}

function same(a: Source, b: Source): boolean {
  return a === b || ('value' in a && 'value' in b && a.value === b.value);
}

function allocateRegisters(
  last: Draft,
  result: Value,
  values: readonly Value[],
  first: number | null,
): Program | null {
  const order: Draft[] = [];
  const seen = new Set<Draft>();
  const operands: number[] = first === null ? [] : [first];
  const constants: number[] = [];
  const visit = (source: Source): void => {
    if (isDraft(source)) {
      if (seen.has(source)) return;
      seen.add(source);
      visit(source.x);
      if (source.z !== null) visit(source.z);
      order.push(source);
    } else if ('value' in source) {
      if (!operands.includes(source.value)) operands.push(source.value);
    } else if (!constants.includes(source.constant)) {
      constants.push(source.constant);
    }
  };
  visit(last);

  const lastUse = new Map<Draft, number>();
  order.forEach((draft, i) => {
    for (const source of [draft.x, draft.z]) if (source !== null && isDraft(source)) lastUse.set(source, i);
  });
  const base = operands.length + constants.length;
  const registers = new Map<Draft, number>();
  const free: number[] = [];
  let temporaries = 0;
  const numberOf = (draft: Draft): number => {
    const register = registers.get(draft);
    if (register === undefined) throw new Error('an instruction is read before it has run');
    return register;
  };
  const registerOf = (source: Source): number =>
    isDraft(source)
      ? numberOf(source)
      : 'value' in source
        ? operands.indexOf(source.value)
        : operands.length + constants.indexOf(source.constant);
  const code: { op: ProgramOp; to: number; x: number; z: number; alpha: number; beta: number }[] = [];
  order.forEach((draft, i) => {
    const x = registerOf(draft.x);
    const z = draft.z === null ? x : registerOf(draft.z);
    for (const source of new Set([draft.x, draft.z])) {
      if (source !== null && isDraft(source) && lastUse.get(source) === i) free.push(numberOf(source));
    }
    const to = draft === last ? -1 : (free.pop() ?? base + temporaries++);
    registers.set(draft, to);
    code.push({ op: draft.op, to, x, z, alpha: draft.alpha, beta: draft.beta });
  });
  if (base + temporaries >= MOST_REGISTERS) return null;
  code[code.length - 1].to = base + temporaries;
  const strides = operands.map((id) => broadcastStrides(values[id].shape, result.shape));
  const merged = joinAxes(result.shape, strides);
  return {
    shape: merged.shape,
    operands: operands.map((value, i) => ({ value, strides: merged.strides[i] })),
    constants,
    temporaries,
    code,
  };
}

/** Whether every operand lies as the result does, or is one element. */
export function isFlat({ shape, operands }: Program): boolean {
  return shape.length === 1 && operands.every(({ strides: [stride] }) => stride === 0 || stride === 1);
}

/** A flat program over results that are so many elements in memory. */
export function overElements(program: Program, elements: number): Program {
  return { ...program, shape: [elements] };
}

/** @param finishes  Whether operand 0 is the result of the step that the program belongs to. */
export function encodeProgram(words: Words, program: Program, finishes: boolean): void {
  words.push(program.shape.length, ...program.shape, program.operands.length);
  program.operands.forEach(({ value, strides }, i) => {
    words.push(...strides);
    if (!finishes || i > 0) words.operand(value);
  });
  words.push(program.constants.length, ...program.constants, program.temporaries, program.code.length);
  for (const { op, to, x, z, alpha, beta } of program.code) {
    words.push(PROGRAM_OPS.indexOf(op), to, x, z, alpha, beta);
  }
}
