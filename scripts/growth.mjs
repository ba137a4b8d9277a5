/**
 * Whether work grows with the number of a network's nodes and not with its square: chains and fans of operators, with n nodes
 * and with 4·n, are read, prepared, run and linearized. An operation that takes
 * more than 8 times the processor's time fails.
 *
 *   npm run test:growth -- --nodes 1000
 */
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const { onnx, tensor } = require('../dist/node/index.cjs');
const { encodeModel, join } = require('../dist/onnx-file/file.js');
const { FileTensor } = require('../dist/onnx-file/file-tensor.js');

const { values } = parseArgs({ options: { nodes: { type: 'string', default: '1000' } } });
const nodes = Number(values.nodes);
const GROWTH = 8;
/** Below this a time is noise. */
const LEAST_MS = 200;

const FLOAT = 1;
const INT64 = 7;
const SHAPE = [1, 4, 3, 3];
const int = (value) => ({ kind: 'int', value: BigInt(value) });
const ints = (...list) => ({ kind: 'ints', value: list.map(BigInt) });

const constants = {
  one: [FLOAT, [1], [1]],
  channel: [FLOAT, [4], [1, 2, 0.5, 1]],
  kernel: [FLOAT, [4, 4, 1, 1], Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0))],
  same: [INT64, [4], SHAPE],
  none: [INT64, [8], new Array(8).fill(0)],
  zero: [INT64, [1], [0]],
  end: [INT64, [1], [9]],
};

/** One node of a chain: operator, further inputs, attributes. */
const links = {
  Relu: ['Relu'],
  'Add of a constant': ['Add', ['one']],
  'Mul by a constant': ['Mul', ['one']],
  'Div by a constant': ['Div', ['one']],
  'Add of the input': ['Add', ['x']],
  'Mul by the input': ['Mul', ['x']],
  'Mul by itself': ['Mul', [null]],
  Identity: ['Identity'],
  Reshape: ['Reshape', ['same']],
  Transpose: ['Transpose', [], { perm: ints(0, 1, 3, 2) }],
  Pad: ['Pad', ['none']],
  Slice: ['Slice', ['zero', 'end']],
  Conv: ['Conv', ['kernel']],
  BatchNormalization: ['BatchNormalization', ['channel', 'channel', 'channel', 'channel']],
  MaxPool: ['MaxPool', [], { kernel_shape: ints(1, 1) }],
  AveragePool: ['AveragePool', [], { kernel_shape: ints(1, 1) }],
  Softmax: ['Softmax', [], { axis: int(1) }],
  Sigmoid: ['Sigmoid'],
  Clip: ['Clip'],
  Dropout: ['Dropout'],
};

function node([opType, more = [], attributes = {}], input, output) {
  const inputs = [input, ...more.map((name) => name ?? input)];
  return {
    name: '',
    opType,
    domain: '',
    inputs,
    outputs: [output],
    attributes: new Map(Object.entries(attributes)),
  };
}

function chain(links, n) {
  return Array.from({ length: n }, (_, i) =>
    node(links[i % links.length], i === 0 ? 'x' : `v${i - 1}`, i === n - 1 ? 'y' : `v${i}`),
  );
}

/** Nodes that all read the input, and one that reads them all. */
function fan(link, collector, attributes, n) {
  const nodes = Array.from({ length: n }, (_, i) => node(link, 'x', `v${i}`));
  const all = nodes.map(({ outputs }) => outputs[0]);
  return [...nodes, node([collector, all.slice(1), attributes], all[0], 'y')];
}

const cases = [
  ...Object.entries(links).map(([name, link]) => [`a chain of ${name}`, (n) => chain([link], n)]),
  ['a chain of Conv and BatchNormalization', (n) => chain([links.Conv, links.BatchNormalization], n)],
  ['a chain of Conv, Add and Relu', (n) => chain([links.Conv, links['Add of the input'], links.Relu], n)],
  ['a sum of Relu', (n) => fan(links.Relu, 'Sum', {}, n)],
  ['a sum of Conv', (n) => fan(links.Conv, 'Sum', {}, n)],
  ['a concatenation of MaxPool', (n) => fan(links.MaxPool, 'Concat', { axis: int(1) }, n)],
  ['a concatenation of Relu', (n) => fan(links.Relu, 'Concat', { axis: int(1) }, n)],
];

function bytesOf(nodes) {
  const value = (name, shape) => ({ name, typeNumber: FLOAT, kind: 'tensor', message: null, shape });
  return join(
    encodeModel({
      irVersion: 8,
      producer: 'growth',
      producerVersion: '',
      opsets: new Map([['', 13]]),
      graph: {
        name: 'growth',
        nodes,
        inputs: [value('x', SHAPE)],
        outputs: [value('y', [1, null, 3, 3])],
        initializers: Object.entries(constants).map(
          ([name, [type, dims, list]]) =>
            new FileTensor('growth', name, dims, type, { kind: 'list', values: list }),
        ),
        sparse: [],
        rest: [],
      },
      rest: [],
    }),
  );
}

async function timesOf(nodes) {
  const input = tensor(
    Float32Array.from({ length: 36 }, (_, i) => (i % 7) / 7),
    SHAPE,
  );
  const times = {};
  const time = async (what, run) => {
    const before = process.cpuUsage();
    const result = await run();
    times[what] = process.cpuUsage(before).user / 1000;
    return result;
  };
  const model = await time('read', () => onnx.readModel(bytesOf(nodes)));
  const network = await time('prepare', () => onnx.prepareNetwork(model));
  await time('run', () => network.run(input));
  network.dispose();
  // Matrices of a concatenation have the rows of all, each: as many entries as that are the answer itself.
  if (nodes.at(-1).opType !== 'Concat') await time('linearize', () => onnx.linearize(model));
  return times;
}

let failed = 0;
for (const [name, make] of cases) {
  await timesOf(make(100));
  const few = await timesOf(make(nodes));
  const many = await timesOf(make(4 * nodes));
  const rows = Object.keys(few).map((what) => {
    const growth = many[what] / Math.max(few[what], LEAST_MS / 4);
    const isSlow = many[what] > LEAST_MS && growth > GROWTH;
    if (isSlow) failed++;
    return `${what} ${few[what].toFixed(0)} → ${many[what].toFixed(0)} ms${isSlow ? ' (FAILED)' : ''}`;
  });
  console.log(`${name}: ${rows.join(', ')}`);
}
console.log(`${cases.length} kinds of networks, ${failed} operations grow faster than the nodes`);
process.exitCode = failed > 0 ? 1 : 0;
