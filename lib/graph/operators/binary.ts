/** Functions of two elements and Where, with broadcasting as NumPy has it and as files before opset 7 spell it. */
import { describeShape } from '../../check.js';
import { ShapeError, UnsupportedError } from '../../errors.js';
import { FLOATS, isFloat, isLong, NUMBERS } from '../elements.js';
import type { Evaluations, View } from '../evaluate.js';
import type { BinaryFunction, Elements, ElementType, Value } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { broadcastStrides, forEachRow, joinAxes, stridesOf } from '../shapes.js';

const ALL: readonly ElementType[] = [...NUMBERS, 'bool'];

function binary(fn: BinaryFunction, types: readonly ElementType[], result?: ElementType): OnnxOperator {
  return {
    attributes: { axis: 'int', broadcast: 'int', consumed_inputs: 'ints' },
    read: (node) => {
      const a = node.input(0);
      const b = aligned(node, a, node.input(1));
      node.checkType(a, types);
      if (fn !== 'Pow' && a.type !== b.type)
        throw node.refuse(UnsupportedError, `operands of one type`, `${a.type} and ${b.type}`);
      node.become('Binary', { fn }, [a, b], result ?? a.type, node.broadcast(a, b));
    },
  };
}

/** The second operand as opset 6 broadcasts it: its axes stand from `axis` on. */
function aligned(node: OnnxNode, a: Value, b: Value): Value {
  if (node.opset >= 7 || node.int('broadcast', 0) === 0 || !node.has('axis')) return b;
  const axis = node.axis(node.int('axis'), a.shape.length + 1);
  const trailing = a.shape.length - axis - b.shape.length;
  if (trailing < 0)
    throw node.refuse(
      ShapeError,
      `at most ${a.shape.length - axis} axes from axis ${axis} on`,
      describeShape(b.shape),
    );
  return node.reshape(b, [...b.shape, ...new Array<number>(trailing).fill(1)]);
}

export const BINARY: Readonly<Record<string, OnnxOperator>> = {
  Add: binary('Add', NUMBERS),
  Sub: binary('Sub', NUMBERS),
  Mul: binary('Mul', NUMBERS),
  Div: binary('Div', NUMBERS),
  Pow: binary('Pow', NUMBERS),
  Mod: {
    attributes: { fmod: 'int' },
    read: (node) => {
      const [a, b] = [node.input(0), node.input(1)];
      node.checkType(a, NUMBERS);
      const fn = node.int('fmod', 0) === 1 ? 'Fmod' : 'Mod';
      if (fn === 'Mod' && isFloat(a.type)) throw node.refuse(UnsupportedError, 'fmod 1 for floats', '0');
      node.become('Binary', { fn }, [a, b], a.type, node.broadcast(a, b));
    },
  },
  PRelu: {
    attributes: { consumed_inputs: 'ints' },
    read: (node) => {
      const [x, slope] = [node.input(0), node.input(1)];
      node.checkType(x, NUMBERS);
      // Before opset 7 a vector of slopes goes along the channels.
      const channels = node.opset < 7 && slope.shape.length === 1 && x.shape.length > 2;
      const spread = channels
        ? node.reshape(slope, [slope.shape[0], ...x.shape.slice(2).map(() => 1)])
        : slope;
      node.become('Binary', { fn: 'PRelu' }, [x, spread], x.type, node.broadcast(x, spread));
    },
  },
  Equal: binary('Equal', ALL, 'bool'),
  Greater: binary('Greater', NUMBERS, 'bool'),
  GreaterOrEqual: binary('GreaterOrEqual', NUMBERS, 'bool'),
  Less: binary('Less', NUMBERS, 'bool'),
  LessOrEqual: binary('LessOrEqual', NUMBERS, 'bool'),
  And: binary('And', ['bool'], 'bool'),
  Or: binary('Or', ['bool'], 'bool'),
  Xor: binary('Xor', ['bool'], 'bool'),
  Max: variadic('Max'),
  Min: variadic('Min'),
  Sum: variadic('Add'),
  Mean: {
    attributes: { consumed_inputs: 'ints' },
    read: (node) => {
      const sum = chain(node, 'Add', FLOATS);
      const count = node.inputCount;
      const divisor = node.constant(
        sum.type,
        [],
        sum.type === 'float32' ? Float32Array.of(count) : Float64Array.of(count),
      );
      node.become('Binary', { fn: 'Div' }, [sum, divisor], sum.type, sum.shape);
    },
  },
  Where: {
    attributes: {},
    read: (node) => {
      const [condition, x, y] = node.inputs();
      node.checkType(condition, ['bool']);
      node.checkType(x, ALL);
      node.become('Where', {}, [condition, x, y], x.type, node.broadcast(condition, x, y));
    },
  },
};

function variadic(fn: BinaryFunction): OnnxOperator {
  return {
    attributes: { consumed_inputs: 'ints' },
    read: (node) => node.result(0, chain(node, fn, NUMBERS)),
  };
}

function chain(node: OnnxNode, fn: BinaryFunction, types: readonly ElementType[]): Value {
  const [first, ...rest] = node.inputs();
  for (const operand of node.inputs()) node.checkType(operand, types);
  return rest.reduce(
    (sum, operand) => node.apply('Binary', { fn }, [sum, operand], sum.type, node.broadcast(sum, operand)),
    first,
  );
}

type Scalar = (a: number, b: number) => number;

/** Each on numbers; what integers do differently is in INTEGER_FUNCTIONS. */
const FUNCTIONS: Readonly<Record<BinaryFunction, Scalar>> = {
  Add: (a, b) => a + b,
  And: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  Div: (a, b) => a / b,
  Equal: (a, b) => (a === b ? 1 : 0),
  Fmod: (a, b) => a % b,
  Greater: (a, b) => (a > b ? 1 : 0),
  GreaterOrEqual: (a, b) => (a >= b ? 1 : 0),
  Less: (a, b) => (a < b ? 1 : 0),
  LessOrEqual: (a, b) => (a <= b ? 1 : 0),
  Max: (a, b) => Math.max(a, b),
  Min: (a, b) => Math.min(a, b),
  Mod: (a, b) => a - b * Math.floor(a / b),
  Mul: (a, b) => a * b,
  Or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
  PRelu: (a, b) => (a < 0 ? a * b : a),
  Pow: (a, b) => a ** b,
  Sub: (a, b) => a - b,
  Xor: (a, b) => ((a !== 0) !== (b !== 0) ? 1 : 0),
};

/** Integers divide towards 0 (and by 0 give 0, where ONNX gives nothing). */
const INTEGER_FUNCTIONS: Partial<Readonly<Record<BinaryFunction, Scalar>>> = {
  Div: (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
  Fmod: (a, b) => (b === 0 ? 0 : a % b),
  Mod: (a, b) => (b === 0 ? 0 : ((a % b) + b) % b),
  Pow: (a, b) => Math.trunc(a ** b),
};

function scalarOf(fn: BinaryFunction, type: ElementType): Scalar {
  if (isFloat(type)) return FUNCTIONS[fn];
  // Products of 32 bits wrap, and pass what a double holds before they do.
  if (fn === 'Mul' && !isLong(type)) return Math.imul;
  return INTEGER_FUNCTIONS[fn] ?? FUNCTIONS[fn];
}

/** The four commonest, in loops that are compiled for each alone. */
type RowLoop = (
  a: Elements,
  aAt: number,
  aStep: number,
  b: Elements,
  bAt: number,
  bStep: number,
  y: Elements,
  at: number,
  count: number,
) => void;

const addRow: RowLoop = (a, aAt, aStep, b, bAt, bStep, y, at, count) => {
  for (let i = 0; i < count; i++) y[at + i] = a[aAt + i * aStep] + b[bAt + i * bStep];
};
const subRow: RowLoop = (a, aAt, aStep, b, bAt, bStep, y, at, count) => {
  for (let i = 0; i < count; i++) y[at + i] = a[aAt + i * aStep] - b[bAt + i * bStep];
};
const mulRow: RowLoop = (a, aAt, aStep, b, bAt, bStep, y, at, count) => {
  for (let i = 0; i < count; i++) y[at + i] = a[aAt + i * aStep] * b[bAt + i * bStep];
};
const divRow: RowLoop = (a, aAt, aStep, b, bAt, bStep, y, at, count) => {
  for (let i = 0; i < count; i++) y[at + i] = a[aAt + i * aStep] / b[bAt + i * bStep];
};
const FLOAT_ROWS: Partial<Readonly<Record<BinaryFunction, RowLoop>>> = {
  Add: addRow,
  Sub: subRow,
  Mul: mulRow,
  Div: divRow,
};

function rowLoop(fn: BinaryFunction, type: ElementType): RowLoop {
  const special = isFloat(type) ? FLOAT_ROWS[fn] : undefined;
  if (special !== undefined) return special;
  const scalar = scalarOf(fn, type);
  return (a, aAt, aStep, b, bAt, bStep, y, at, count) => {
    for (let i = 0; i < count; i++) y[at + i] = scalar(a[aAt + i * aStep], b[bAt + i * bStep]);
  };
}

export const EVALUATE_BINARY: Evaluations<'Binary' | 'Where'> = {
  Binary: ({ attributes: { fn }, inputs: [a, b], outputs: [y] }) => {
    if (a === null || b === null || y === null) return;
    const row = rowLoop(fn, a.type);
    // The result is dense: along its last axis it steps by 1.
    overRows([a, b], y, ([aAt, bAt, at], [aStep, bStep], count) =>
      row(a.data, aAt, aStep, b.data, bAt, bStep, y.data, at, count),
    );
  },
  Where: ({ inputs: [condition, x, otherwise], outputs: [y] }) => {
    if (condition === null || x === null || otherwise === null || y === null) return;
    overRows([condition, x, otherwise], y, ([cAt, xAt, oAt, at], [cStep, xStep, oStep], count) => {
      for (let i = 0; i < count; i++)
        y.data[at + i] =
          condition.data[cAt + i * cStep] !== 0 ? x.data[xAt + i * xStep] : otherwise.data[oAt + i * oStep];
    });
  },
};

/** Rows of a result and of the operands that broadcast to it: their places, their steps, their length. */
function overRows(
  operands: readonly View[],
  y: View,
  row: (at: readonly number[], steps: readonly number[], count: number) => void,
): void {
  if (y.data.length === 0) return;
  const strides = [...operands.map((view) => broadcastStrides(view.shape, y.shape)), stridesOf(y.shape)];
  const loops = joinAxes(y.shape, strides);
  const last = loops.shape.length - 1;
  const steps = loops.strides.map((own) => own[last]);
  const starts = steps.map(() => 0);
  forEachRow(loops, starts, (at) => row(at, steps, loops.shape[last]));
}
