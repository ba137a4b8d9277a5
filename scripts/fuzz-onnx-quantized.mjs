/**
 * Random networks of float operators between DequantizeLinear and QuantizeLinear against onnxruntime-node, which the benchmarks
 * install, on the same bytes: how many results have every byte the same, how many bytes are one step away, and, as an error, more.
 *
 *   npm --prefix bench ci && node scripts/fuzz-onnx-quantized.mjs [--cases 1000] [--seed 1] [--ort FOLDER]
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Draft } from '../bench/networks/draft.mjs';
import { stream } from '../bench/random.mjs';

const root = join(import.meta.dirname, '..');
const { values: options } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    ort: { type: 'string', default: join(root, 'bench') },
  },
});
const require = createRequire(import.meta.url);
const ort = createRequire(join(options.ort, 'package.json'))('onnxruntime-node');
const { Tensor } = require('../dist/index.js');
const { prepareNetwork } = require('../dist/onnx/index.js');

const ARRAYS = { int8: Int8Array, uint8: Uint8Array };
const size = (shape) => shape.reduce((product, n) => product * n, 1);
const halved = (n) => Math.floor((n - 1) / 2) + 1;

/** A chain of operators: `value` is the last result, of bytes. */
class Chain {
  constructor(seed) {
    this.next = stream(seed);
    this.draft = new Draft();
    this.type = this.pick(['uint8', 'int8']);
    this.shape = [
      1 + this.below(2),
      this.pick([1, 2, 3, 8, 16, 40, 70]),
      1 + this.below(14),
      1 + this.below(14),
    ];
    this.inputShape = this.shape;
    this.before = [];
    this.operators = [];
    this.quantize(this.draft.input('x', 'float32', this.shape));
  }
  below(n) {
    return Math.floor(this.next() * n);
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  chance(share) {
    return this.next() < share;
  }
  bytes(type, count) {
    return new ARRAYS[type](Uint8Array.from({ length: count }, () => this.below(256)).buffer);
  }
  /** Brings a float result to bytes: of a grid of its own, unless it keeps the last one. */
  quantize(name, keeps = false) {
    if (!keeps) {
      const least = this.type === 'int8' ? -128 : 0;
      const scale = 0.01 + 0.05 * this.next();
      const zero = this.pick([least, least + 128, least + this.below(256)]);
      const operands = [
        this.draft.constant(Float32Array.of(scale)),
        this.draft.constant(ARRAYS[this.type].of(zero)),
      ];
      this.grid = { scale, operands };
    }
    this.value = this.draft.node('QuantizeLinear', [name, ...this.grid.operands]);
    this.before.push({ value: this.value, shape: this.shape, grid: this.grid });
  }
  dequantize({ value, grid } = this) {
    return this.draft.node('DequantizeLinear', [value, ...grid.operands]);
  }
  /** An earlier result whose sizes agree, but for those along `except`. */
  earlier(except = -1) {
    return this.before.find(
      ({ shape }) =>
        shape.length === this.shape.length &&
        shape.every((n, axis) => axis === except || n === this.shape[axis]),
    );
  }
  /** Constant weights: the name of their float values, and their scales. */
  weights(type, dims, axis, around) {
    const count = this.chance(0.6) ? dims[axis] : 1;
    const scales = Float32Array.from({ length: count }, () => (0.5 + this.next()) * around);
    const zeros = new ARRAYS[type](count).fill(type === 'uint8' ? 128 : 0);
    const perAxis = count === 1 ? [] : [count];
    const operands = [
      this.draft.constant(this.bytes(type, size(dims)), dims),
      this.draft.constant(scales, perAxis),
      this.draft.constant(zeros, perAxis),
    ];
    return { name: this.draft.node('DequantizeLinear', operands, { axis }), scales };
  }
  bias(scales, count) {
    const units = scales.map((scale) => Math.fround(this.grid.scale) * scale);
    const values = Int32Array.from({ length: count }, () => this.below(2000) - 1000);
    const operands = [
      this.draft.constant(values, [count]),
      this.draft.constant(units, units.length > 1 ? [count] : []),
    ];
    return this.draft.node('DequantizeLinear', operands, { axis: 0 });
  }
}

/** Each adds one operator to a chain and says whether it did. */
const OPERATORS = {
  conv(c) {
    if (c.shape.length !== 4) return false;
    const [batch, channels, height, width] = c.shape;
    const kernel = c.pick([1, 3, 3, 5]);
    const group = c.pick([1, 1, channels]);
    const out = group * (group > 1 ? 1 : c.pick([4, 16, 33, 64]));
    const [stride, pad] = [1 + c.below(2), kernel >> 1];
    const dims = [out, channels / group, kernel, kernel];
    const w = c.weights(c.pick(['int8', 'int8', 'uint8']), dims, 0, 0.03 / Math.sqrt(size(dims.slice(1))));
    const inputs = [c.dequantize(), w.name];
    if (c.chance(0.6)) inputs.push(c.bias(w.scales, out));
    const pads = [pad, pad, pad, pad];
    const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads, group };
    let y = c.draft.node('Conv', inputs, attributes);
    const activation = c.pick(['none', 'none', 'Relu', 'Clip']);
    if (activation === 'Relu') y = c.draft.node('Relu', [y]);
    if (activation === 'Clip') {
      const bounds = [0, 6].map((bound) => c.draft.constant(Float32Array.of(bound)));
      y = c.draft.node('Clip', [y, ...bounds]);
    }
    const sized = (n) => Math.floor((n + 2 * pad - kernel) / stride) + 1;
    c.shape = [batch, out, sized(height), sized(width)];
    c.quantize(y);
    return true;
  },
  binary(c) {
    const other = c.earlier();
    if (other === undefined) return false;
    let y = c.draft.node(c.pick(['Add', 'Add', 'Mul']), [c.dequantize(), c.dequantize(other)]);
    if (c.chance(0.4)) y = c.draft.node('Relu', [y]);
    c.quantize(y);
    return true;
  },
  concat(c) {
    const other = c.shape.length === 4 ? c.earlier(1) : undefined;
    if (other === undefined) return false;
    const y = c.draft.node('Concat', [c.dequantize(), c.dequantize(other)], { axis: 1 });
    c.shape = c.shape.map((n, axis) => (axis === 1 ? n + other.shape[1] : n));
    c.quantize(y);
    return true;
  },
  pool(c) {
    if (c.shape.length !== 4 || Math.min(c.shape[2], c.shape[3]) < 3) return false;
    const op = c.pick(['MaxPool', 'AveragePool']);
    const window = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
    const y = c.draft.node(op, [c.dequantize()], window);
    c.shape = [c.shape[0], c.shape[1], halved(c.shape[2]), halved(c.shape[3])];
    c.quantize(y, op === 'MaxPool' && c.chance(0.7));
    return true;
  },
  mean(c) {
    if (c.shape.length !== 4) return false;
    const y = c.draft.node('GlobalAveragePool', [c.dequantize()]);
    c.shape = [c.shape[0], c.shape[1], 1, 1];
    c.quantize(y);
    return true;
  },
  activation(c) {
    c.quantize(c.draft.node(c.pick(['Relu', 'Sigmoid']), [c.dequantize()]));
    return true;
  },
  transpose(c) {
    if (c.shape.length !== 4) return false;
    const perm = [0, 1, 3, 2];
    const y = c.draft.node('Transpose', [c.dequantize()], { perm });
    c.shape = perm.map((axis) => c.shape[axis]);
    c.quantize(y, true);
    return true;
  },
  matmul(c) {
    const [depth, columns] = [c.shape[c.shape.length - 1], c.pick([1, 5, 17])];
    const w = c.weights('int8', [depth, columns], 1, 0.01);
    const y = c.draft.node('MatMul', [c.dequantize(), w.name]);
    c.shape = [...c.shape.slice(0, -1), columns];
    c.quantize(y);
    return true;
  },
  gemm(c) {
    if (c.shape.length !== 4) return false;
    const [batch, depth, columns] = [c.shape[0], size(c.shape.slice(1)), c.pick([3, 10, 20])];
    c.shape = [batch, depth];
    c.quantize(c.draft.node('Flatten', [c.dequantize()]), true);
    const w = c.weights('int8', [columns, depth], 0, 0.002);
    const y = c.draft.node('Gemm', [c.dequantize(), w.name, c.bias(w.scales, columns)], { transB: 1 });
    c.shape = [batch, columns];
    c.quantize(y);
    return true;
  },
};

const counts = { networks: 0, refused: 0, bytes: 0, stepsAway: 0, wrong: 0 };
for (let i = 0; i < Number(options.cases); i++) {
  const seed = Number(options.seed) + i;
  const chain = new Chain(seed);
  for (let left = 1 + chain.below(4); left > 0; left--) {
    const name = chain.pick(Object.keys(OPERATORS));
    if (OPERATORS[name](chain)) chain.operators.push(name);
  }
  const { draft, value, type, shape, inputShape, operators } = chain;
  draft.output(value, type, shape);
  const bytes = draft.bytes();
  const data = Float32Array.from({ length: size(inputShape) }, () => 4 * chain.next() - 2);
  let expected;
  try {
    const session = await ort.InferenceSession.create(bytes, {
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4,
    });
    expected = (await session.run({ x: new ort.Tensor('float32', data, inputShape) }))[value].data;
  } catch {
    counts.refused++;
    continue;
  }
  const network = await prepareNetwork(bytes);
  const got = network.run({ x: new Tensor(data, inputShape) })[value].data;
  network.dispose();
  const away = Array.from(expected, (byte, at) => Math.abs(byte - got[at]));
  counts.networks++;
  counts.bytes += away.length;
  counts.stepsAway += away.filter((steps) => steps === 1).length;
  if (away.length !== got.length || away.some((steps) => steps > 1)) {
    counts.wrong++;
    console.error(`seed ${seed}: ${type}, ${operators.join(', ')}: ${Math.max(...away)} steps away`);
  }
}
console.log(counts);
if (counts.wrong > 0) process.exitCode = 1;
