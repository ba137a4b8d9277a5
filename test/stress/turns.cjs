/**
 * The longest turn of the event loop while asynchronous calls run, in ms of its thread's processor time: a thread of a busy
 * machine may wait for as long as it likes to be given a processor. argv: the function, and a size when one is enough; or nothing for a list of functions.
 * Prints [{function, size, state, atOnce, ms, launchMs}]: `ms` is the longest turn after the one that makes the calls, which takes
 * `launchMs`; both the least of some rounds, since what the collector or a page fault adds belongs to no one call.
 *
 * Linux tells how long a thread has run. Elsewhere it is the time of the clock, which is the same on a quiet machine only.
 */
const { mkdtempSync, openSync, readSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const convmat = require(join(__dirname, '../../dist'));
const { CsrMatrix, Tensor, image, io, onnx } = convmat;
// Loads the addon, which a service does when it starts.
convmat.backendInfo();

/** Rounds of a measurement, but for turns so short that another would say nothing new. */
const ROUNDS = 4;
const ENOUGH_MS = 1.5;

const schedule = process.platform === 'linux' ? openSync(`/proc/self/task/${process.pid}/schedstat`) : null;
const nobody = new Int32Array(new SharedArrayBuffer(4));
const bytes = Buffer.alloc(64);
/** How long this thread has run, in ms: Linux brings it up to date when the thread sleeps. */
function threadMs() {
  if (schedule === null) return performance.now();
  Atomics.wait(nobody, 0, 0, 0.02);
  return Number.parseInt(bytes.latin1Slice(0, readSync(schedule, bytes, 0, 64, 0)), 10) / 1e6;
}

function elements(length, ArrayType = Float32Array) {
  const data = new ArrayType(length);
  for (let i = 0; i < length; i++) data[i] = ((i % 251) / 251 - 0.5) * (ArrayType === Uint8Array ? 255 : 1);
  return data;
}
const tensor = (shape) => new Tensor(elements(shape.reduce((a, b) => a * b)), shape);

const folder = mkdtempSync(join(tmpdir(), 'convmat-turns-'));
let files = 0;
const newPath = (name) => join(folder, `${files++}-${name}`);

/** Elements of an operand. */
const SIZES = { small: 2 ** 12, medium: 2 ** 18, large: 2 ** 22 };

/** For images [8, side, side] and the like. */
const sideOf = (length, channels) => Math.floor(Math.sqrt(length / channels));

function sparse(entries) {
  const rows = Math.ceil(entries / 8);
  const indptr = Int32Array.from({ length: rows + 1 }, (_, i) => i * 8);
  const indices = Int32Array.from({ length: rows * 8 }, (_, i) => ((i >> 3) + (i & 7)) % (rows + 8));
  return new CsrMatrix([rows, rows + 8], indptr, indices, elements(rows * 8));
}

function conv(rank) {
  return (length) => {
    const channels = 8;
    const side = Math.floor((length / channels) ** (1 / rank));
    const x = tensor([1, channels, ...Array(rank).fill(side)]);
    const w = tensor([channels, channels, ...Array(rank).fill(3)]);
    const run = convmat[`conv${rank}dAsync`];
    return { call: () => run(x, w, { padding: 1 }) };
  };
}

/** A convolution whose weight is what is large. */
function largeWeight(length) {
  const channels = Math.floor(Math.sqrt(length / 9));
  return { w: tensor([channels, channels, 3, 3]), x: tensor([1, channels, 8, 8]) };
}

/** What reads `data`, from a file and from memory. */
function reader(read, write, makeData) {
  return async (length, fromMemory) => {
    const path = newPath('read');
    await write(path, makeData(length));
    const source = fromMemory ? new Uint8Array(require('node:fs').readFileSync(path)) : path;
    return { call: () => read(source) };
  };
}
const writer = (write, makeData) => (length) => {
  const data = makeData(length);
  const paths = Array.from({ length: 200 }, () => newPath('written'));
  let next = 0;
  return { call: () => write(paths[next++ % paths.length], data) };
};
const both = (read, write, makeData) => ({
  [read]: reader(io[read], io[write], makeData),
  [`${read} of bytes`]: (length) => reader(io[read], io[write], makeData)(length, true),
  [write]: writer(io[write], makeData),
});
const one = (length) => new Tensor(elements(length), [length]);
const named = (length) => ({ a: one(length >> 1), b: one(length >> 1) });

/** A residual block over and over; its weights grow with the size. */
async function model(length) {
  const { modelBytes } = networkOf(length);
  return modelBytes;
}
function networkOf(length) {
  const { encodeModel, join: joined } = require(join(__dirname, '../../dist/onnx-file/file.js'));
  const { FileTensor } = require(join(__dirname, '../../dist/onnx-file/file-tensor.js'));
  const channels = 16;
  const side = sideOf(length, channels);
  const value = (name, shape) => ({ name, typeNumber: 1, kind: 'tensor', message: null, shape });
  const node = (opType, inputs, outputs, attributes = {}) => ({
    name: '',
    opType,
    domain: '',
    inputs,
    outputs,
    attributes: new Map(Object.entries(attributes)),
  });
  // A matrix product with a weight of about `length` elements at the end.
  const wide = Math.max(4, Math.floor(length / channels));
  const weights = (name, dims) =>
    new FileTensor('model', name, dims, 1, { kind: 'raw', bytes: new Uint8Array(tensor(dims).data.buffer) });
  const pads = { kind: 'ints', value: [1, 1, 1, 1] };
  const graph = {
    name: 'network',
    nodes: [
      node('Conv', ['x', 'w1'], ['a'], { pads }),
      node('Relu', ['a'], ['b']),
      node('Conv', ['b', 'w2'], ['c'], { pads }),
      node('Add', ['c', 'x'], ['d']),
      node('GlobalAveragePool', ['d'], ['e']),
      node('Flatten', ['e'], ['f']),
      node('MatMul', ['f', 'w3'], ['y']),
    ],
    initializers: [
      weights('w1', [channels, channels, 3, 3]),
      weights('w2', [channels, channels, 3, 3]),
      weights('w3', [channels, wide]),
    ],
    inputs: [value('x', [1, channels, side, side])],
    outputs: [value('y', [1, wide])],
    sparse: [],
    rest: [],
  };
  const file = {
    irVersion: 8,
    producer: '',
    producerVersion: '',
    opsets: new Map([['', 17]]),
    graph,
    rest: [],
  };
  return { modelBytes: joined(encodeModel(file)), x: tensor([1, channels, side, side]) };
}

/** Each gives what a call needs; `make` makes the object of the call anew, as cold as the first. */
const FUNCTIONS = {
  conv1dAsync: conv(1),
  conv2dAsync: conv(2),
  conv3dAsync: conv(3),
  'conv2dAsync, weight': (length) => {
    const { x, w } = largeWeight(length);
    return { call: () => convmat.conv2dAsync(x, w, { padding: 1 }) };
  },
  'prepared.runAsync': (length) => {
    const side = sideOf(length, 8);
    const x = tensor([1, 8, side, side]);
    const w = tensor([8, 8, 3, 3]);
    const make = () => convmat.prepareConv(w, { padding: 1 });
    return { make, call: (prepared) => prepared.runAsync(x) };
  },
  'prepared.runAsync, out': (length) => {
    const side = sideOf(length, 8);
    const x = tensor([1, 8, side, side]);
    const w = tensor([8, 8, 3, 3]);
    const out = tensor([1, 8, side, side]);
    const make = () => convmat.prepareConv(w, { padding: 1 });
    return { make, call: (prepared) => prepared.runAsync(x, { out }) };
  },
  'prepared.runAsync, weight': (length) => {
    const { x, w } = largeWeight(length);
    const make = () => convmat.prepareConv(w, { padding: 1 });
    return { make, call: (prepared) => prepared.runAsync(x) };
  },
  'image.fromPixelsAsync': (length) => {
    const side = sideOf(length, 4);
    const pixels = { data: elements(side * side * 4, Uint8Array), width: side, height: side, channels: 4 };
    return { call: () => image.fromPixelsAsync(pixels, { scale: 1 / 255 }) };
  },
  'image.convolveAsync': (length) => {
    const side = sideOf(length, 3);
    const pixels = { data: elements(side * side * 3, Uint8Array), width: side, height: side, channels: 3 };
    const make = () => convmat.prepareConv(tensor([3, 1, 3, 3]), { padding: 1, groups: 3 });
    return { make, call: (prepared) => image.convolveAsync(pixels, prepared) };
  },
  'image.toPixelsAsync': (length) => {
    const side = sideOf(length, 3);
    const t = tensor([3, side, side]);
    return { call: () => image.toPixelsAsync(t, { scale: 255 }) };
  },
  'lsqrAsync of a convolution': (length) => {
    const side = sideOf(length, 1);
    const A = convmat.convMatrix(tensor([1, 1, 3, 3]), { inputShape: [1, side, side], padding: 1 });
    const b = elements(A.shape[0]);
    return { call: () => convmat.lsqrAsync(A, b, { maxIterations: 2 }) };
  },
  'lsqrAsync of a CsrMatrix': (length) => {
    const A = sparse(length);
    const b = elements(A.shape[0]);
    return { call: () => convmat.lsqrAsync(A, b, { maxIterations: 2 }) };
  },
  'lsqrAsync of a dense matrix': (length) => {
    const A = convmat.operators.asOperator(tensor([sideOf(length, 1), sideOf(length, 1)]));
    const b = elements(A.shape[0]);
    return { call: () => convmat.lsqrAsync(A, b, { maxIterations: 2 }) };
  },
  'lsqrAsync of a diagonal': (length) => {
    const A = convmat.operators.diagonal(elements(length));
    const b = elements(A.shape[0]);
    return { call: () => convmat.lsqrAsync(A, b, { maxIterations: 2 }) };
  },
  'cgAsync of a convolution': (length) => {
    const side = sideOf(length, 1);
    const w = new Tensor(Float32Array.of(0, -1, 0, -1, 5, -1, 0, -1, 0), [1, 1, 3, 3]);
    const A = convmat.convMatrix(w, { inputShape: [1, side, side], padding: 1 });
    const b = elements(A.shape[0]);
    return { call: () => convmat.cgAsync(A, b, { maxIterations: 2 }) };
  },
  'network.runAsync': async (length) => {
    const { modelBytes, x } = networkOf(length);
    const read = await onnx.readModel(modelBytes);
    return { make: () => onnx.prepareNetwork(read), call: (network) => network.runAsync({ x }) };
  },
  'onnx.prepareNetwork': async (length) => {
    const path = newPath('model.onnx');
    require('node:fs').writeFileSync(path, networkOf(length).modelBytes);
    return { call: () => onnx.prepareNetwork(path) };
  },
  'onnx.prepareNetwork of bytes': async (length) => {
    const { modelBytes } = networkOf(length);
    return { call: () => onnx.prepareNetwork(modelBytes) };
  },
  'onnx.readModel of bytes': async (length) => {
    const encoded = await model(length);
    return { call: () => onnx.readModel(encoded) };
  },
  'onnx.writeModel': async (length) => {
    const read = await onnx.readModel(await model(length));
    const { call } = writer(
      (path) => onnx.writeModel(path, read),
      () => null,
    )(length);
    return { call };
  },
  ...both('readNpy', 'writeNpy', one),
  ...both('readNpz', 'writeNpz', named),
  ...both('readSafetensors', 'writeSafetensors', named),
  ...both('readSparseNpz', 'writeSparseNpz', sparse),
  ...both('readMatrixMarket', 'writeMatrixMarket', (length) => sparse(length >> 3)),
};

/** The turns while `calls` are made and come to their end: the first, which makes them, and the longest of the others. */
async function turns(calls) {
  let running = true;
  let longest = 0;
  let launch;
  let last;
  const tick = () => {
    const now = threadMs();
    if (launch === undefined) launch = now - last;
    else longest = Math.max(longest, now - last);
    last = now;
    if (running) setImmediate(tick);
  };
  await new Promise(setImmediate);
  setImmediate(tick);
  last = threadMs();
  let left = calls.length;
  await new Promise((done, failed) => {
    // Results are let go of as they come.
    for (const call of calls) {
      call().then(() => {
        left--;
        if (left === 0) done();
      }, failed);
    }
  });
  running = false;
  await new Promise(setImmediate);
  return { launch: launch ?? 0, longest };
}

async function measure(name, only) {
  const rows = [];
  const found = (size, state, atOnce, { launch, longest }) => {
    const rounded = (ms) => Math.round(ms * 100) / 100;
    rows.push({ function: name, size, state, atOnce, ms: rounded(longest), launchMs: rounded(launch) });
  };
  for (const [size, length] of Object.entries(SIZES)) {
    if (only !== undefined && size !== only) continue;
    const { make = () => undefined, call } = await FUNCTIONS[name](length);
    const round = async (atOnce, object) =>
      turns(Array.from({ length: atOnce }, () => async () => call(object)));
    // The first call of the process, whose code has not run yet.
    if (size === 'small') found(size, 'first', 1, await round(1, await make()));
    const least = async (atOnce, objectOf) => {
      const best = { launch: Number.POSITIVE_INFINITY, longest: Number.POSITIVE_INFINITY };
      for (let i = 0; i < ROUNDS && (best.longest > ENOUGH_MS || best.launch > ENOUGH_MS); i++) {
        const { launch, longest } = await round(atOnce, await objectOf());
        best.launch = Math.min(best.launch, launch);
        best.longest = Math.min(best.longest, longest);
      }
      return best;
    };
    const counts = { small: [1, 10, 100], medium: [1, 10, 50], large: [1, 10] }[size];
    for (const atOnce of counts) found(size, 'cold', atOnce, await least(atOnce, make));
    const object = await make();
    await call(object);
    for (const atOnce of counts) found(size, 'warm', atOnce, await least(atOnce, () => object));
  }
  return rows;
}

const [name, only] = process.argv.slice(2);
if (name === undefined) {
  console.log(JSON.stringify(Object.keys(FUNCTIONS)));
  rmSync(folder, { recursive: true });
} else {
  measure(name, only)
    .then((rows) => console.log(JSON.stringify(rows)))
    .finally(() => rmSync(folder, { recursive: true, force: true }));
}
