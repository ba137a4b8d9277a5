/** Linearized networks as ONNX of dense layers. */
import { UnsupportedError } from '../errors.js';
import type { Attributes, GraphNode } from '../graph/graph.js';
import { sizeOf } from '../graph/shapes.js';
import { CsrMatrix } from '../matrix/csr.js';
import { typeNumberOf } from '../onnx-file/element-types.js';
import type { FileAttribute, FileNode, FileValue } from '../onnx-file/file.js';
import { FileTensor } from '../onnx-file/file-tensor.js';
import type { FloatArray, TypedArray } from '../tensor/dtype.js';
import type { ElementType } from '../tensor/element-type.js';
import type { Shape } from '../tensor/tensor.js';
import type { AffineStage, LinearizedNetwork, Operand, OtherStage, StageValue } from './linearized.js';
import { Model } from './model.js';

const FILE = 'linearized network';

export function denseModel(network: LinearizedNetwork): Model {
  const writer = new DenseWriter();
  for (const stage of network.stages) {
    if (stage.kind === 'affine') writer.affine(stage);
    else writer.other(stage);
  }
  const { nodes, initializers, opset } = writer;
  const flat = (name: string, { type, shape }: StageValue): FileValue => ({
    name,
    typeNumber: typeNumberOf(type === 'float64' ? 'float32' : type),
    kind: 'tensor',
    message: null,
    shape: [1, sizeOf(shape)],
  });
  const graph = {
    name: 'linearized',
    nodes,
    initializers,
    inputs: network.inputs.map((input) => flat(input.name, input)),
    outputs: network.outputs.map((output) => flat(output.from, output)),
    sparse: [],
    rest: [],
  };
  const opsets = new Map([['', opset]]);
  const irVersion = opset >= 20 ? 9 : opset >= 15 ? 8 : 7;
  return new Model({ irVersion, producer: 'convmat', producerVersion: '', opsets, graph, rest: [] }, FILE);
}

/** Opsets in which operators came that are younger than the others. */
const SINCE: Readonly<Record<string, number>> = {
  HardSwish: 14,
  LayerNormalization: 17,
  Mish: 18,
  Gelu: 20,
};

class DenseWriter {
  readonly nodes: FileNode[] = [];
  readonly initializers: FileTensor[] = [];
  opset = 13;

  affine({ output, terms, bias }: AffineStage): void {
    const size = bias.length;
    const dense = terms.filter(({ matrix }) => !isIdentity(matrix));
    const plain = terms.filter(({ matrix }) => isIdentity(matrix));
    const steps: { inputs: string[]; opType: 'Gemm' | 'Add' }[] = [];
    // The bias goes into the first product, or is added where there is none.
    let open = bias.some((value) => value !== 0) || terms.length < 2;
    for (const [i, { input, matrix }] of dense.entries()) {
      const weight = this.#constant(
        `${output}.weight${i === 0 ? '' : i}`,
        'float32',
        matrix.shape,
        matrix.toDense({ maxBytes: Number.POSITIVE_INFINITY }).data,
      );
      const offset = this.#constant(
        `${output}.bias${i === 0 ? '' : i}`,
        'float32',
        [size],
        i === 0 ? bias : new Float32Array(size),
      );
      if (i === 0) open = false;
      steps.push({ opType: 'Gemm', inputs: [input, weight, offset] });
    }
    const summands = plain.map(({ input }) => input);
    if (open || (dense.length === 0 && summands.length === 0))
      summands.push(this.#constant(`${output}.bias`, 'float32', [1, size], bias));
    this.#sum(output, steps, summands);
  }

  /** The products one by one, each added to what is there; the last step has the stage's name. */
  #sum(
    output: string,
    products: readonly { inputs: string[]; opType: 'Gemm' | 'Add' }[],
    summands: readonly string[],
  ): void {
    const count =
      products.length + Math.max(products.length - 1, 0) + summands.length - (products.length === 0 ? 1 : 0);
    let made = 0;
    const name = () => (++made === count ? output : `${output}.part${made}`);
    let sum: string | null = null;
    for (const { inputs } of products) {
      const product = this.#node('Gemm', inputs, name(), GEMM);
      sum = sum === null ? product : this.#node('Add', [sum, product], name());
    }
    for (const summand of summands) sum = sum === null ? summand : this.#node('Add', [sum, summand], name());
    // A single value that nothing is added to keeps its name only by adding zeros.
    if (count === 0 && sum !== null)
      this.#node(
        'Add',
        [sum, this.#constant(`${output}.zero`, 'float32', [1, 1], new Float32Array(1))],
        output,
      );
  }

  other({ graphNode, opType, operands, results, output }: OtherStage): void {
    const { type, attributes, inputs: extra, elementwise } = this.#operator(graphNode, opType, output);
    this.opset = Math.max(this.opset, SINCE[type] ?? 0);
    const present = operands.filter((operand) => operand !== null);
    const flat = elementwise && present.every((operand) => fitsFlat(operand, results[0]));
    const inputs = operands.map((operand, i): string => {
      if (operand === null) return '';
      const { name, constant, shape, type: elementType } = operand;
      if (constant !== null)
        return this.#constant(
          `${output}.operand${i}`,
          elementType,
          flat ? flatShape(shape) : shape,
          constant,
        );
      return flat ? name : this.#reshaped(name, shape, `${output}.input${i}`);
    });
    const outputs = results.map((result): string =>
      result === null ? '' : flat ? result.name : `${result.name}.shaped`,
    );
    while (outputs[outputs.length - 1] === '') outputs.pop();
    this.nodes.push({
      name: outputs[0],
      opType: type,
      domain: '',
      inputs: [...inputs, ...extra],
      outputs,
      attributes,
    });
    if (flat) return;
    for (const result of results) {
      if (result === null) continue;
      this.#node(
        'Reshape',
        [`${result.name}.shaped`, this.#shape(`${result.name}.flat`, [1, sizeOf(result.shape)])],
        result.name,
      );
    }
  }

  #reshaped(name: string, shape: Shape, to: string): string {
    return this.#node('Reshape', [name, this.#shape(`${to}.shape`, shape)], to);
  }

  #shape(name: string, shape: Shape): string {
    return this.#constant(name, 'int64', [shape.length], Float64Array.from(shape));
  }

  #node(
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: FileNode['attributes'] = new Map(),
  ): string {
    this.nodes.push({ name: output, opType, domain: '', inputs, outputs: [output], attributes });
    return output;
  }

  #constant(name: string, type: ElementType, dims: Shape, values: TypedArray | FloatArray): string {
    const stored = type === 'float64' ? 'float32' : type;
    this.initializers.push(
      new FileTensor(FILE, name, dims, typeNumberOf(stored), {
        kind: 'raw',
        bytes: rawBytes(stored, values),
      }),
    );
    return name;
  }

  /** The node as an operator of ONNX, with the operands that its bounds and axes become. */
  #operator(node: GraphNode, opType: string, output: string): OnnxForm {
    const scalar = (name: string, value: number) =>
      this.#constant(`${output}.${name}`, 'float32', [], Float32Array.of(value));
    switch (node.op) {
      case 'Unary':
        return unaryForm(node.attributes, scalar);
      case 'Binary':
        return {
          type: node.attributes.fn === 'Fmod' ? 'Mod' : node.attributes.fn,
          attributes: new Map(node.attributes.fn === 'Fmod' ? [['fmod', int(1)]] : []),
          inputs: [],
          elementwise: true,
        };
      case 'Where':
        return { type: 'Where', attributes: new Map(), inputs: [], elementwise: true };
      case 'Softmax':
      case 'LogSoftmax':
        return {
          type: node.op,
          attributes: new Map([['axis', int(node.attributes.axis)]]),
          inputs: [],
          elementwise: false,
        };
      case 'MatMul':
        return { type: 'MatMul', attributes: new Map(), inputs: [], elementwise: false };
      case 'MaxPool':
      case 'LpPool':
        return { type: node.op, attributes: windowAttributes(node), inputs: [], elementwise: false };
      case 'Reduce': {
        const { fn, axes, keepDims } = node.attributes;
        const keeps: [string, FileAttribute] = ['keepdims', int(keepDims ? 1 : 0)];
        // ReduceSum is always affine: the others have their axes as an attribute before opset 18.
        const attributes = new Map([keeps, ['axes', ints(axes)]]);
        return { type: `Reduce${fn}`, attributes, inputs: [], elementwise: false };
      }
      case 'ArgReduce': {
        const { fn, axis, keepDims, last } = node.attributes;
        const attributes = new Map([
          ['axis', int(axis)],
          ['keepdims', int(keepDims ? 1 : 0)],
          ['select_last_index', int(last ? 1 : 0)],
        ]);
        return { type: `Arg${fn}`, attributes, inputs: [], elementwise: false };
      }
      case 'InstanceNormalization':
        return {
          type: node.op,
          attributes: new Map([['epsilon', float(node.attributes.epsilon)]]),
          inputs: [],
          elementwise: false,
        };
      case 'LayerNormalization': {
        const { axis, epsilon } = node.attributes;
        return {
          type: node.op,
          attributes: new Map([
            ['axis', int(axis)],
            ['epsilon', float(epsilon)],
          ]),
          inputs: [],
          elementwise: false,
        };
      }
      case 'LRN': {
        const { alpha, beta, bias, size } = node.attributes;
        const attributes = new Map([
          ['alpha', float(alpha)],
          ['beta', float(beta)],
          ['bias', float(bias)],
          ['size', int(size)],
        ]);
        return { type: node.op, attributes, inputs: [], elementwise: false };
      }
      default:
        throw new UnsupportedError(
          `toModel: expected operators that dense layers stand between, got ${opType} (${output})`,
        );
    }
  }
}

interface OnnxForm {
  readonly type: string;
  readonly attributes: ReadonlyMap<string, FileAttribute>;
  /** Operands behind those of the node. */
  readonly inputs: readonly string[];
  /** Whether it does the same to every element, whatever the shape. */
  readonly elementwise: boolean;
}

const int = (value: number): FileAttribute => ({ kind: 'int', value });
const ints = (value: readonly number[]): FileAttribute => ({ kind: 'ints', value });
const float = (value: number): FileAttribute => ({ kind: 'float', value });

const GEMM: ReadonlyMap<string, FileAttribute> = new Map([
  ['alpha', float(1)],
  ['beta', float(1)],
  ['transA', int(0)],
  ['transB', int(1)],
]);

/** Names of the attributes that alpha and beta are. */
const UNARY_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  Celu: ['alpha'],
  Elu: ['alpha'],
  HardSigmoid: ['alpha', 'beta'],
  LeakyRelu: ['alpha'],
  Selu: ['alpha', 'gamma'],
  ThresholdedRelu: ['alpha'],
};

function unaryForm(
  { fn, alpha, beta }: Attributes['Unary'],
  scalar: (name: string, value: number) => string,
): OnnxForm {
  if (fn === 'Clip') {
    const bounds = [
      Number.isFinite(alpha) ? scalar('min', alpha) : '',
      Number.isFinite(beta) ? scalar('max', beta) : '',
    ];
    if (bounds[1] === '') bounds.pop();
    return { type: 'Clip', attributes: new Map(), inputs: bounds, elementwise: true };
  }
  if (fn === 'GeluTanh') {
    const attributes = new Map<string, FileAttribute>([['approximate', { kind: 'string', value: 'tanh' }]]);
    return { type: 'Gelu', attributes, inputs: [], elementwise: true };
  }
  const names = UNARY_ATTRIBUTES[fn] ?? [];
  const attributes = new Map(names.map((name, i) => [name, float(i === 0 ? alpha : beta)]));
  return { type: fn, attributes, inputs: [], elementwise: true };
}

function windowAttributes(
  node: Extract<GraphNode, { op: 'MaxPool' | 'LpPool' }>,
): Map<string, FileAttribute> {
  const { kernel, strides, dilations, pads } = node.attributes;
  const attributes = new Map([
    ['kernel_shape', ints(kernel)],
    ['strides', ints(strides)],
    ['pads', ints([...pads.map(([before]) => before), ...pads.map(([, after]) => after)])],
  ]);
  if (node.op === 'LpPool') attributes.set('p', int(node.attributes.p));
  else attributes.set('dilations', ints(dilations));
  return attributes;
}

/** Whether an operand broadcasts to a flat result as it does to the shaped one. */
function fitsFlat({ shape, constant }: Operand, result: StageValue | null): boolean {
  const size = sizeOf(shape);
  return result === null || size === sizeOf(result.shape) || (size === 1 && constant !== null);
}

function flatShape(shape: Shape): number[] {
  return [1, sizeOf(shape)];
}

/** Whether a summand is the value itself. */
export function isIdentity(matrix: AffineStage['terms'][number]['matrix']): boolean {
  if (!(matrix instanceof CsrMatrix)) return false;
  const { shape, nnz, indptr, indices, data } = matrix;
  const [rows, columns] = shape;
  if (rows !== columns || nnz !== rows) return false;
  for (let i = 0; i < rows; i++) if (indptr[i] !== i || indices[i] !== i || data[i] !== 1) return false;
  return true;
}

/** Elements as raw_data has them: int64 lies in float64 here. */
function rawBytes(type: ElementType, values: TypedArray): Uint8Array {
  const stored =
    type === 'int64'
      ? BigInt64Array.from(values, BigInt)
      : type === 'float32'
        ? Float32Array.from(values)
        : values;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
