/** Values that come from shapes, attributes or conversions. */
import { describe, describeShape } from '../../check.js';
import { FormatError, ShapeError, UnsupportedError } from '../../errors.js';
import { fileType } from '../../onnx-file/element-types.js';
import { toBfloat16, toFloat16 } from '../../onnx-file/half.js';
import { isFloat, isLong } from '../elements.js';
import type { Evaluations } from '../evaluate.js';
import type { ElementType, Value } from '../graph.js';
import type { Narrow, OnnxNode, OnnxOperator } from '../onnx-node.js';
import { sizeOf } from '../shapes.js';

export const CREATION: Readonly<Record<string, OnnxOperator>> = {
  Constant: {
    attributes: {
      value: 'tensor',
      value_float: 'float',
      value_floats: 'floats',
      value_int: 'int',
      value_ints: 'ints',
    },
    read: readConstant,
  },
  ConstantOfShape: { attributes: { value: 'tensor' }, read: readConstantOfShape },
  Range: { attributes: {}, read: readRange },
  Shape: { attributes: { start: 'int', end: 'int' }, read: readShape },
  Size: {
    attributes: {},
    read: (node) => {
      const size = Float64Array.of(sizeOf(node.input(0).shape));
      node.result(0, node.constant('int64', [], size));
    },
  },
  Cast: { attributes: { to: 'int', saturate: 'int', round_mode: 'string' }, read: readCast },
  CastLike: {
    attributes: { saturate: 'int', round_mode: 'string' },
    read: (node) => node.result(0, cast(node, node.input(1).type, node.narrow(1))),
  },
};

function readConstant(node: OnnxNode): void {
  const of = (type: ElementType, shape: number[], values: readonly number[]) =>
    node.constant(type, shape, type === 'int64' ? Float64Array.from(values) : Float32Array.from(values));
  if (node.has('value')) {
    const tensor = node.tensor('value');
    const { type } = tensor.fileType;
    if (type === null) throw node.refuse(UnsupportedError, 'a value of numbers', tensor.fileType.name);
    node.result(0, node.constant(type, tensor.dims, tensor.known()));
  } else if (node.has('value_float')) node.result(0, of('float32', [], [node.float('value_float')]));
  else if (node.has('value_int')) node.result(0, of('int64', [], [node.int('value_int')]));
  else if (node.has('value_floats')) {
    const values = node.floats('value_floats');
    node.result(0, of('float32', [values.length], values));
  } else {
    const values = node.ints('value_ints');
    node.result(0, of('int64', [values.length], values));
  }
}

function readConstantOfShape(node: OnnxNode): void {
  const shape = node.known(node.input(0));
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw node.refuse(ShapeError, 'sizes ≥ 0', describe(shape));
  const tensor = node.has('value') ? node.tensor('value') : null;
  const { type, name } = tensor === null ? fileType(1) : tensor.fileType;
  if (type === null) throw node.refuse(UnsupportedError, 'a value of numbers', name);
  if (tensor !== null && tensor.size !== 1)
    throw node.refuse(FormatError, 'one element as value', describeShape(tensor.dims));
  const value = tensor === null ? 0 : tensor.elements()[0];
  node.result(0, node.constant(type, shape, node.allocate(type, shape).fill(value)));
}

function readRange(node: OnnxNode): void {
  const [start, limit, delta] = [0, 1, 2].map((i) => node.knownNumber(node.input(i)));
  const { type } = node.input(0);
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (!Number.isSafeInteger(count))
    throw node.refuse(ShapeError, 'steps that come to an end', describe([start, limit, delta]));
  const values = node.allocate(type, [count]);
  for (let i = 0; i < count; i++) values[i] = start + i * delta;
  node.result(0, node.constant(type, [count], values));
}

function readShape(node: OnnxNode): void {
  const { shape } = node.input(0);
  const sizes = Float64Array.from(shape.slice(node.int('start', 0), node.int('end', shape.length)));
  node.result(0, node.constant('int64', [sizes.length], sizes));
}

function readCast(node: OnnxNode): void {
  const { type, name } = fileType(node.int('to'));
  if (type === null) throw node.refuse(UnsupportedError, 'a type of numbers', name);
  node.result(0, cast(node, type, narrowFloat(name)));
}

/** The type when it is a float of 16 bits. */
export function narrowFloat(name: string): Narrow {
  return name === 'float16' || name === 'bfloat16' ? name : null;
}

function cast(node: OnnxNode, type: ElementType, round: Narrow): Value {
  const x = node.input(0);
  if (type === x.type && round === null) return x;
  return node.apply('Cast', { round }, [x], type, x.shape);
}

export const EVALUATE_CREATION: Evaluations<'Cast'> = {
  Cast: ({ attributes: { round }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    const convert = conversion(x.type, y.type, round);
    for (let i = 0; i < x.data.length; i++) y.data[i] = convert(x.data[i]);
  },
};

/** What stores do not do by themselves. Integers wrap; fractions are cut. */
function conversion(from: ElementType, to: ElementType, round: Narrow): (value: number) => number {
  if (round === 'float16') return toFloat16;
  if (round === 'bfloat16') return toBfloat16;
  if (to === 'bool') return (value) => (value !== 0 ? 1 : 0);
  if (isLong(to) && isFloat(from)) return Math.trunc;
  return (value) => value;
}
