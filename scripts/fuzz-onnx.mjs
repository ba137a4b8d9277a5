/**
 * Random networks against onnxruntime-node, which the benchmarks install: a few operators with random attributes and shapes,
 * at several opsets, which read the latest value or an earlier one, and give some of those in between too, on the same bytes. What onnxruntime refuses counts apart; everything else must agree.
 *
 *   npm --prefix bench ci && node scripts/fuzz-onnx.mjs [--cases 1000] [--seed 1] [--ort FOLDER]
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

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
const { encodeModel, join: joined } = require('../dist/onnx-file/file.js');
const { FileTensor } = require('../dist/onnx-file/file-tensor.js');
const { prepareNetwork, linearize } = require('../dist/onnx/index.js');
const { random } = require('../dist/random.js');

const OPSETS = [9, 11, 13, 17, 18, 20];
/** Relative to the largest element of an output: some thousand roundings of float32. */
const TOLERANCE = 1e-4;

// ───────────────────────────── a network under construction ─────────────────────────────

class Draft {
  nodes = [];
  initializers = [];
  constructor(source, opset) {
    this.source = source;
    this.opset = opset;
  }
  below(n) {
    return this.source.below(n);
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  chance(share) {
    return this.source.uniform() < share;
  }
  constant(dims, values, type = 'float') {
    const name = `c${this.initializers.length}`;
    const typeNumber = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 }[type];
    const list = Array.from(values, (value) => (type === 'int64' ? BigInt(value) : value));
    this.initializers.push(new FileTensor('fuzz', name, dims, typeNumber, { kind: 'list', values: list }));
    return name;
  }
  noise(dims, low = -1, high = 1) {
    const values = Array.from({ length: sizeOf(dims) }, () =>
      Math.fround(low + (high - low) * this.source.uniform()),
    );
    return this.constant(dims, values);
  }
  ints(values) {
    return this.constant([values.length], values, 'int64');
  }
  node(opType, inputs, attributes = {}, outputs = 1) {
    const names = Array.from({ length: outputs }, (_, i) => `v${this.nodes.length}_${i}`);
    const entries = Object.entries(attributes).filter(([, value]) => value !== undefined);
    this.nodes.push({
      name: `n${this.nodes.length}`,
      opType,
      domain: '',
      inputs,
      outputs: names,
      attributes: new Map(entries.map(([name, value]) => [name, attribute(value)])),
    });
    return names[0];
  }
}

class Float {
  constructor(value) {
    this.value = value;
  }
}
const float = (value) => new Float(value);

function attribute(value) {
  if (value instanceof Float) return { kind: 'float', value: value.value };
  if (typeof value === 'string') return { kind: 'string', value };
  if (typeof value === 'number') return { kind: 'int', value };
  return value.some((entry) => entry instanceof Float)
    ? { kind: 'floats', value: value.map((entry) => entry.value) }
    : { kind: 'ints', value };
}

const sizeOf = (dims) => dims.reduce((product, size) => product * size, 1);

// ───────────────────────────── operators ─────────────────────────────

/** Each adds nodes behind `x`, whose rank is known, and gives the name of its result and its rank; undefined where it does not fit. */
const OPERATORS = {
  conv(d, x, { rank, shape }) {
    if (rank !== 4) return undefined;
    const channels = shape[1];
    const group = d.pick([1, 1, channels]);
    const out = group * (1 + d.below(3));
    const kernel = [1 + d.below(3), 1 + d.below(3)];
    const pads = d.chance(0.3)
      ? { auto_pad: d.pick(['SAME_UPPER', 'SAME_LOWER', 'VALID']) }
      : { pads: Array.from({ length: 4 }, () => d.below(3)) };
    const inputs = [x, d.noise([out, channels / group, ...kernel])];
    if (d.chance(0.6)) inputs.push(d.noise([out]));
    const dilations =
      pads.auto_pad === undefined && d.chance(0.3) ? [1 + d.below(2), 1 + d.below(2)] : undefined;
    return d.node('Conv', inputs, {
      ...pads,
      group,
      kernel_shape: kernel,
      strides: [1 + d.below(2), 1 + d.below(2)],
      dilations,
    });
  },
  convTranspose(d, x, { rank, shape }) {
    if (rank !== 4) return undefined;
    const group = d.pick([1, shape[1]]);
    const strides = [1 + d.below(3), 1 + d.below(3)];
    const kernel = [1 + d.below(3), 1 + d.below(3)];
    const out = 1 + d.below(3);
    const output_padding = d.chance(0.3) ? strides.map((stride) => d.below(stride)) : undefined;
    const inputs = [x, d.noise([shape[1], out, ...kernel])];
    if (d.chance(0.5)) inputs.push(d.noise([out * group]));
    const pads = d.chance(0.5) ? kernel.concat(kernel).map((size) => d.below(Math.min(size, 2))) : undefined;
    return d.node('ConvTranspose', inputs, { group, kernel_shape: kernel, strides, output_padding, pads });
  },
  pool(d, x, { rank, shape }) {
    if (rank !== 4) return undefined;
    // A window that is larger than its input is refused here, and is nothing that onnxruntime defines.
    if (Math.min(shape[2], shape[3]) < 3) return undefined;
    const type = d.pick(['MaxPool', 'AveragePool', 'LpPool']);
    const kernel = [1 + d.below(3), 1 + d.below(3)];
    const pads = kernel.concat(kernel).map((size) => d.below(size));
    return d.node(type, [x], {
      kernel_shape: kernel,
      strides: [1 + d.below(3), 1 + d.below(3)],
      pads: d.chance(0.6) ? pads : undefined,
      ceil_mode: d.opset >= 10 && type !== 'LpPool' && d.chance(0.3) ? 1 : undefined,
      count_include_pad: type === 'AveragePool' && d.chance(0.5) ? 1 : undefined,
    });
  },
  global: (d, x, { rank }) =>
    rank === 4 ? d.node(d.pick(['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool']), [x]) : undefined,
  batchNorm(d, x, { rank, shape }) {
    if (rank < 2) return undefined;
    const per = () => d.noise([shape[1]]);
    return d.node('BatchNormalization', [x, per(), per(), per(), d.noise([shape[1]], 0.5, 2)], {
      epsilon: float(1e-3),
    });
  },
  instanceNorm: (d, x, { rank, shape }) =>
    rank === 4 ? d.node('InstanceNormalization', [x, d.noise([shape[1]]), d.noise([shape[1]])]) : undefined,
  layerNorm(d, x, { rank, shape }) {
    if (d.opset < 17 || rank < 2) return undefined;
    const axis = 1 + d.below(rank - 1);
    return d.node('LayerNormalization', [x, d.noise(shape.slice(axis)), d.noise(shape.slice(axis))], {
      axis,
    });
  },
  lrn: (d, x, { rank }) =>
    rank === 4
      ? d.node('LRN', [x], { size: 1 + 2 * d.below(3), alpha: float(0.1), beta: float(0.75) })
      : undefined,
  unary(d, x) {
    const names = [
      'Abs',
      'Ceil',
      'Elu',
      'Erf',
      'Exp',
      'Floor',
      'HardSigmoid',
      'LeakyRelu',
      'Neg',
      'Relu',
      'Selu',
      'Sigmoid',
      'Sign',
      'Sin',
      'Cos',
      'Softplus',
      'Softsign',
      'Tanh',
      'ThresholdedRelu',
      'Identity',
    ];
    if (d.opset >= 11) names.push('Round');
    if (d.opset >= 12) names.push('Celu');
    if (d.opset >= 14) names.push('HardSwish');
    if (d.opset >= 18) names.push('Mish');
    if (d.opset >= 20) names.push('Gelu');
    const name = d.pick(names);
    const attributes =
      /^(Elu|LeakyRelu|HardSigmoid|Celu|ThresholdedRelu)$/.test(name) && d.chance(0.5)
        ? { alpha: float(0.3) }
        : {};
    return d.node(name, [x], attributes);
  },
  clip(d, x) {
    if (d.opset < 11) return d.node('Clip', [x], { min: float(-0.4), max: float(0.6) });
    return d.node('Clip', [x, d.chance(0.8) ? d.constant([], [-0.4]) : '', d.constant([], [0.6])]);
  },
  binary(d, x, { shape }) {
    const other = shape.map((size) => (d.chance(0.4) ? 1 : size)).slice(d.below(shape.length + 1));
    const type = d.pick(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'PRelu', 'Pow', 'Sum', 'Mean']);
    if (type === 'Div') return d.node(type, [x, d.noise(other, 0.5, 2)]);
    if (type === 'Pow') return d.node(type, [d.node('Abs', [x]), d.noise(other, 0.5, 2)]);
    if (type === 'PRelu') return d.node(type, [x, d.noise(other)]);
    return d.node(type, d.chance(0.5) ? [x, d.noise(other)] : [d.noise(other), x]);
  },
  residual: (d, x) => d.node('Add', [x, d.node('Tanh', [x])]),
  join: (d, x, { alike }) => d.node(d.pick(['Add', 'Sub', 'Mul', 'Max', 'Sum']), [x, d.pick(alike)]),
  joinAxis: (d, x, { rank, alike }) =>
    d.node('Concat', d.chance(0.5) ? [x, d.pick(alike)] : [d.pick(alike), x, d.pick(alike)], {
      axis: d.below(rank),
    }),
  gate(d, x, { rank }) {
    if (rank !== 4) return undefined;
    return d.node('Mul', [x, d.node('Sigmoid', [d.node('GlobalAveragePool', [x])])]);
  },
  compare(d, x, { shape }) {
    const test = d.node(
      d.pick(d.opset >= 12 ? ['Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual'] : ['Greater', 'Less']),
      [x, d.noise(shape.slice(-1))],
    );
    return d.node('Where', [test, x, d.noise([1])]);
  },
  softmax: (d, x, { rank }) => d.node(d.pick(['Softmax', 'LogSoftmax']), [x], { axis: d.below(rank) }),
  reduce(d, x, { rank }) {
    const type = `Reduce${d.pick(['L1', 'L2', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'Sum', 'SumSquare'])}`;
    const axes = Array.from({ length: rank }, (_, axis) => axis)
      .filter(() => d.chance(0.4))
      .map((axis) => (d.opset >= 11 && d.chance(0.3) ? axis - rank : axis));
    const asInput = d.opset >= 18 || (type === 'ReduceSum' && d.opset >= 13);
    const keepdims = d.below(2);
    if (axes.length === 0) return d.node(type, [x], { keepdims: 1 });
    return asInput ? d.node(type, [x, d.ints(axes)], { keepdims }) : d.node(type, [x], { axes, keepdims });
  },
  arg: (d, x, { rank }) =>
    d.node(
      'Cast',
      [d.node(d.pick(['ArgMax', 'ArgMin']), [x], { axis: d.below(rank), keepdims: d.below(2) })],
      { to: 1 },
    ),
  topK(d, x, { rank, shape }) {
    const axis = d.below(rank);
    const k = 1 + d.below(shape[axis]);
    const attributes = d.opset >= 11 ? { axis, largest: d.below(2) } : { axis };
    return d.node('TopK', [x, d.ints([k])], attributes, 2);
  },
  cumSum: (d, x, { rank }) =>
    d.opset >= 11
      ? d.node('CumSum', [x, d.constant([], [d.below(rank)], 'int32')], {
          exclusive: d.below(2),
          reverse: d.below(2),
        })
      : undefined,
  flatten: (d, x, { rank }) => d.node('Flatten', [x], { axis: d.below(rank + 1) }),
  reshape: (d, x, { rank, shape }) =>
    d.node('Reshape', [x, d.ints(d.pick([[-1], [0, -1], [1, -1, shape[rank - 1]]]))]),
  transpose(d, x, { rank }) {
    const perm = Array.from({ length: rank }, (_, axis) => axis);
    for (let i = rank - 1; i > 0; i--) {
      const j = d.below(i + 1);
      [perm[i], perm[j]] = [perm[j], perm[i]];
    }
    return d.node('Transpose', [x], { perm });
  },
  unsqueeze(d, x, { rank }) {
    if (rank > 4) return undefined;
    const axis = d.below(rank + 1);
    return d.opset >= 13
      ? d.node('Unsqueeze', [x, d.ints([axis])])
      : d.node('Unsqueeze', [x], { axes: [axis] });
  },
  squeeze: (d, x) => d.node('Squeeze', [x]),
  concat: (d, x, { rank, shape }) => d.node('Concat', [x, d.noise(shape), x], { axis: d.below(rank) }),
  split(d, x, { rank, shape }) {
    const axis = d.below(rank);
    if (shape[axis] < 2) return undefined;
    const first = 1 + d.below(shape[axis] - 1);
    const sizes = [first, shape[axis] - first];
    return d.opset >= 13
      ? d.node('Split', [x, d.ints(sizes)], { axis }, 2)
      : d.node('Split', [x], { axis, split: sizes }, 2);
  },
  slice(d, x, { rank, shape }) {
    const some = shape.map((_, axis) => axis).filter(() => d.below(2) === 0);
    const axes = some.length > 0 ? some : [d.below(rank)];
    const starts = axes.map((axis) => d.below(2 * shape[axis]) - shape[axis]);
    const ends = axes.map((axis) => d.below(2 * shape[axis] + 2) - shape[axis]);
    if (d.opset < 10) return d.node('Slice', [x], { axes, starts, ends });
    const steps = axes.map(() => d.pick([1, 1, 2, -1, -2]));
    return d.node('Slice', [x, ...[starts, ends, axes, steps].map((list) => d.ints(list))]);
  },
  expand: (d, x, { shape }) =>
    d.node('Expand', [
      x,
      d.ints([d.pick([1, 2]), ...shape.map((size) => (size === 1 ? 1 + d.below(3) : 1))]),
    ]),
  tile: (d, x, { shape }) => d.node('Tile', [x, d.ints(shape.map(() => 1 + d.below(2)))]),
  pad(d, x, { shape }) {
    const mode = d.pick(['constant', 'reflect', 'edge']);
    const pads = [...shape, ...shape].map((size) => d.below(mode === 'constant' ? 3 : Math.min(3, size)));
    if (d.opset < 11) return d.node('Pad', [x], { mode, pads, value: float(0.5) });
    return d.node('Pad', [x, d.ints(pads), ...(mode === 'constant' ? [d.constant([], [0.5])] : [])], {
      mode,
    });
  },
  resize(d, x, { rank, shape }) {
    if (rank !== 4) return undefined;
    const sizes = [shape[0], shape[1], 1 + d.below(2 * shape[2]), 1 + d.below(2 * shape[3])];
    const scales = sizes.map((size, axis) => size / shape[axis]);
    if (d.opset < 11)
      return d.opset < 10
        ? d.node('Upsample', [x, d.constant([4], [1, 1, 1 + d.below(3), 1 + d.below(3)])], {
            mode: d.pick(['nearest', 'linear']),
          })
        : undefined;
    const mode = d.pick(['nearest', 'linear', 'cubic']);
    const coordinate_transformation_mode = d.pick([
      'half_pixel',
      'pytorch_half_pixel',
      'align_corners',
      'asymmetric',
    ]);
    const nearest_mode =
      mode === 'nearest' ? d.pick(['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil']) : undefined;
    const attributes = { mode, coordinate_transformation_mode, nearest_mode };
    // By scales, places within rounding of a tie fall otherwise in onnxruntime: nearest takes sizes.
    return mode === 'nearest' || d.chance(0.5)
      ? d.node(
          'Resize',
          [x, '', '', d.ints(sizes)].map((name) =>
            name === '' && d.opset < 13 ? d.constant([0], []) : name,
          ),
          attributes,
        )
      : d.node('Resize', [x, d.opset < 13 ? d.constant([0], []) : '', d.constant([4], scales)], attributes);
  },
  depth: (d, x, { rank, shape }) =>
    rank === 4 && shape[1] % 4 === 0
      ? d.node('DepthToSpace', [x], {
          blocksize: 2,
          mode: d.opset >= 11 ? d.pick(['DCR', 'CRD']) : undefined,
        })
      : undefined,
  space: (d, x, { rank, shape }) =>
    rank === 4 && shape[2] % 2 === 0 && shape[3] % 2 === 0
      ? d.node('SpaceToDepth', [x], { blocksize: 2 })
      : undefined,
  gather(d, x, { rank, shape }) {
    const axis = d.below(rank);
    const indices = Array.from({ length: 3 }, () => d.below(2 * shape[axis]) - shape[axis]);
    return d.node(
      'Gather',
      [x, d.opset < 11 ? d.ints(indices.map(Math.abs).map((i) => i % shape[axis])) : d.ints(indices)],
      { axis },
    );
  },
  gatherND: (d, x, { shape }) =>
    d.opset >= 11 ? d.node('GatherND', [x, d.constant([2, 1], [0, d.below(shape[0])], 'int64')]) : undefined,
  scatterND: (d, x, { shape }) =>
    d.opset >= 11
      ? d.node('ScatterND', [
          x,
          d.constant([1, 1], [d.below(shape[0])], 'int64'),
          d.noise([1, ...shape.slice(1)]),
        ])
      : undefined,
  matMul: (d, x, { rank, shape }) =>
    rank >= 2 ? d.node('MatMul', [x, d.noise([shape[rank - 1], 1 + d.below(5)])]) : undefined,
  gemm(d, x, { rank, shape }) {
    if (rank !== 2) return undefined;
    const [transA, transB, n] = [d.below(2), d.below(2), 1 + d.below(5)];
    const k = shape[transA === 1 ? 0 : 1];
    const c = d.chance(0.6) ? [d.noise(d.pick([[n], [1], [1, n]]))] : [];
    return d.node('Gemm', [x, d.noise(transB === 1 ? [n, k] : [k, n]), ...c], {
      transA,
      transB,
      alpha: float(0.7),
      beta: float(1.3),
    });
  },
  einsum: (d, x, { rank, shape }) =>
    rank === 3 && d.opset >= 12
      ? d.node('Einsum', [x, d.noise([shape[0], shape[2], 3])], {
          equation: d.pick(['bij,bjk->bik', 'bij,bjk->bki', 'bij,bjk->ik']),
        })
      : undefined,
  quantized(d, x) {
    const zero = d.chance(0.5) ? d.constant([], [100], 'uint8') : d.constant([], [3], 'int8');
    const scale = d.constant([], [0.03]);
    return d.opset >= 10
      ? d.node('DequantizeLinear', [d.node('QuantizeLinear', [x, scale, zero]), scale, zero])
      : undefined;
  },
};

// ───────────────────────────── one case ─────────────────────────────

/** Shapes follow from running what is there already. */
async function build(source) {
  const draft = new Draft(source, OPSETS[source.below(OPSETS.length)]);
  const rank = [4, 4, 4, 3, 2][source.below(5)];
  const shape = [1 + source.below(2), 1 + source.below(4), 3 + source.below(6), 3 + source.below(6)].slice(
    0,
    rank,
  );
  const values = [{ name: 'x', shape }];
  const used = [];
  for (let i = 0, steps = 1 + source.below(6); i < steps; i++) {
    const operator = draft.pick(Object.keys(OPERATORS));
    const from = draft.chance(0.7) ? values[values.length - 1] : draft.pick(values);
    const before = [draft.nodes.length, draft.initializers.length];
    const alike = values.filter((value) => value.shape.join() === from.shape.join()).map(({ name }) => name);
    const next =
      from.shape.length === 0
        ? undefined
        : OPERATORS[operator](draft, from.name, { rank: from.shape.length, shape: from.shape, alike });
    if (next === undefined) {
      draft.nodes.length = before[0];
      draft.initializers.length = before[1];
      continue;
    }
    used.push(operator);
    let reached = from.shape;
    try {
      const network = await prepareNetwork(bytesOf(draft, shape, [next]));
      if (network.explain().steps.length > 0)
        reached = network.run({ x: { data: new Float32Array(sizeOf(shape)), shape } })[next].shape;
      network.dispose();
    } catch {
      values.push({ name: next, shape: null });
      break;
    }
    values.push({ name: next, shape: reached });
    if (sizeOf(reached) === 0 || sizeOf(reached) > 20_000) break;
  }
  const [, ...made] = values.map(({ name }) => name);
  const outputs = made.filter((_, i) => i === made.length - 1 || draft.chance(0.3));
  return { draft, shape, outputs, used };
}

function bytesOf(draft, shape, outputs) {
  const value = (name, dims) => ({ name, typeNumber: 1, kind: 'tensor', message: null, shape: dims });
  return joined(
    encodeModel({
      irVersion: 8,
      producer: 'fuzz',
      producerVersion: '',
      opsets: new Map([['', draft.opset]]),
      graph: {
        name: 'fuzz',
        nodes: draft.nodes,
        initializers: draft.initializers,
        inputs: [value('x', shape)],
        outputs: outputs.map((name) => value(name, null)),
        sparse: [],
        rest: [],
      },
      rest: [],
    }),
  );
}

async function attempt(work) {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: error.message.split('\n')[0] };
  }
}

function difference(actual, expected) {
  if (actual.shape.join() !== expected.dims.join())
    return `shape [${actual.shape}], expected [${expected.dims}]`;
  let largest = 1;
  for (const value of expected.data) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  for (let i = 0; i < expected.data.length; i++) {
    const [a, b] = [actual.data[i], expected.data[i]];
    if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (!(Math.abs(a - b) <= TOLERANCE * largest)) return `element ${i}: ${a}, expected ${b}`;
  }
  return null;
}

function differenceOf(actual, expected) {
  for (const [name, tensor] of Object.entries(expected)) {
    const apart = difference(actual[name], tensor);
    if (apart !== null) return `${name}: ${apart}`;
  }
  return null;
}

async function main() {
  const counts = { agree: 0, empty: 0, refusedByBoth: 0, refusedByOrt: 0 };
  const faults = [];
  for (let i = 0; i < Number(options.cases); i++) {
    const source = random(Number(options.seed) + i);
    const { draft, shape, outputs, used } = await build(source);
    if (outputs.length === 0) {
      counts.empty++;
      continue;
    }
    const bytes = bytesOf(draft, shape, outputs);
    const data = Float32Array.from({ length: sizeOf(shape) }, () => 2 * source.uniform() - 1);
    const theirs = await attempt(async () => {
      const session = await ort.InferenceSession.create(bytes, {
        logSeverityLevel: 4,
        graphOptimizationLevel: 'disabled',
      });
      return session.run({ x: new ort.Tensor('float32', data, shape) });
    });
    const ours = await attempt(async () => {
      const network = await prepareNetwork(bytes);
      const result = network.run({ x: { data, shape } });
      network.dispose();
      return result;
    });
    const label = `seed ${Number(options.seed) + i}, opset ${draft.opset}: ${used.join(' → ')}`;
    if (theirs.error !== undefined) {
      counts[ours.error === undefined ? 'refusedByOrt' : 'refusedByBoth']++;
      continue;
    }
    const wrong = ours.error ?? differenceOf(ours.value, theirs.value);
    if (wrong !== null) {
      faults.push(`${label}: ${wrong}\n    ${draft.nodes.map(describeNode).join('\n    ')}`);
      continue;
    }
    counts.agree++;
    if (shape[0] === 1) {
      const linear = await attempt(async () => (await linearize(bytes)).run({ x: { data, shape } }));
      const apart = linear.error ?? differenceOf(linear.value, theirs.value);
      if (apart !== null) faults.push(`${label}, linearized: ${apart}`);
    }
  }
  for (const fault of faults) console.log(fault);
  const text = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  console.log(
    `${options.cases} networks from seed ${options.seed}: ${text.join(', ')}, differ ${faults.length}`,
  );
  process.exitCode = faults.length === 0 ? 0 : 1;
}

function describeNode({ opType, inputs, attributes }) {
  const shown = [...attributes].map(([name, { value }]) => `${name}=${JSON.stringify(value)}`);
  return `${opType}(${inputs.join(', ')}) ${shown.join(' ')}`;
}

await main();
