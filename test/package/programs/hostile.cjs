// Calls every function of the addon with wrong values in every position, and with plans that lie. A call may refuse or
// work; the process has to be alive at the end, and convolve rightly. Prints how many calls did which.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const dist = join(__dirname, '../../../dist');
const { conv1d, onnx } = require(dist); // configures the addon
const { addon } = require(join(dist, 'backend/native/loader.js')).loadAddon();

const detached = new Float32Array(4);
structuredClone(detached.buffer, { transfer: [detached.buffer] });
const WRONG = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  2 ** 40,
  'text',
  Symbol('s'),
  10n,
  {},
  [],
  () => 0,
  new Float32Array(0),
  new Float32Array(3),
  new Float64Array(4),
  new Int32Array(30).fill(2 ** 31 - 1),
  new Int32Array(30).fill(-1),
  new Uint8ClampedArray(4),
  new BigInt64Array(4),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  detached,
  new Proxy(new Float32Array(4), {}),
];

const wire = (names, fields, change) =>
  Int32Array.from(names, (name) => ({ ...fields, ...change })[name] ?? 0);

// One channel, 4 inputs, 2 taps, 3 outputs.
const AXES = {};
for (const axis of ['depth', 'height', 'width']) {
  for (const name of ['in', 'kernel', 'stride', 'dilation', 'out']) AXES[`${axis}.${name}`] = 1;
}
Object.assign(AXES, { 'width.in': 4, 'width.kernel': 2, 'width.out': 3 });
const CONV = { ...AXES, batch: 1, groups: 1, inChannels: 1, outChannels: 1 };
const conv = (change) => wire(addon.convPlanFields, CONV, change);
// uint8 by int8 to int8.
const INTEGER = { ...CONV, dtype: 3, weightDType: 2, outputDType: 2, inputZeroPoint: 7, outputZeroPoint: -9 };
const integer = (change) => wire(addon.integerPlanFields, INTEGER, change);
const pool = (change) => wire(addon.poolPlanFields, { ...AXES, planes: 1 }, change);
// 1 × 4 image, 1 × 2 kernel, 1 × 3 outputs of 16 bits.
const FIXED = { rows: 1, columns: 4, planes: 1, kernelRows: 1, kernelColumns: 2, outRows: 1, outColumns: 3 };
Object.assign(FIXED, { bits: 32, signed: 1, wordLength: 16 });
const fixed = (change) => wire(addon.fixedPlanFields, FIXED, change);

// The 2 × 2 identity, and what it multiplies.
const sparse = (indptr = [0, 1, 2], indices = [0, 1]) => [
  2,
  2,
  Int32Array.from(indptr),
  Int32Array.from(indices),
  w,
];
const numbers = (count) => Array.from({ length: count }, () => new Float64Array(2));
const pair = () => [new Float32Array(2), new Float32Array(2)];

const [x, w, y] = [new Float32Array(4), new Float32Array(2), new Float32Array(3)];
const bytes = { x: new Uint8Array(4), w: new Int8Array(2), y: new Int8Array(3) };
const scales = () => [new Int32Array(1), new Int32Array(1), new Float64Array(1)];
const runInteger = () => addon.prepareInteger(integer(), bytes.w, ...scales());
const run = () => addon.prepare(conv(), w, null, -1, 1, null);
const later = () => {};
// One program step: the arena's first four floats, negated, to the output.
const OPS = addon.enumerations.programOp;
const words = (change = []) => {
  const list = [3, 1, 4, 1, 1, 0, 0, 0, 0, 0, 1, OPS.indexOf('negate'), 1, 0, 0, 0, 0, 3, 0, 0];
  for (const [at, value] of change) list[at] = value;
  return Float64Array.from(list);
};
const network = (change) => addon.prepareNetwork(words(change), 64, [], [16], [], null);
const arena = () => new Uint8Array(64);
const RIGHT = {
  configure: () => [{ ArgumentError: Error, MemoryError: Error }],
  numThreads: () => [],
  serves: () => [conv()],
  setNumThreads: () => [2],
  workspacePeakBytes: () => [],
  externalBytes: () => [],
  prepare: () => [conv(), w, null, -1, 1, null],
  prepareAsync: () => [conv(), w, null, -1, 1, null, later],
  release: () => [run()],
  runAsync: () => [run(), x, new Float32Array(3), later],
  conv: () => [conv(), w, null, -1, 1, x, y],
  convAsync: () => [conv(), w, null, -1, 1, x, new Float32Array(3), later],
  cancel: () => [1],
  convWeightGrad: () => [conv({ op: 2 }), x, y, w],
  convBiasGrad: () => [1, 2, 2, x, w],
  prepareInteger: () => [integer(), bytes.w, ...scales()],
  releaseInteger: () => [runInteger()],
  convInteger: () => [integer(), bytes.w, ...scales(), bytes.x, bytes.y],
  prepareNetwork: () => [words().with(5, 2), 64, [16], [16], [x], null],
  prepareNetworkAsync: () => [words().with(5, 2), 64, [16], [16], [x], null, true, [], later],
  arenaStart: () => [arena()],
  releaseNetwork: () => [network()],
  runNetworkAsync: () => [network(), arena(), [], [new Float32Array(4)], later],
  unfold: () => [conv(), x, new Float32Array(6)],
  fold: () => [conv(), new Float32Array(6), x],
  matmul: () => [2, 1, 2, x, w, new Float32Array(2)],
  convEntries: () => [
    conv(),
    Float32Array.of(1, 2),
    new Int32Array(4),
    new Int32Array(6),
    new Float32Array(6),
  ],
  csrMatvec: () => [...sparse(), ...pair()],
  csrRmatvec: () => [...sparse(), ...pair(), false],
  csrMatmat: () => [...sparse(), 1, ...pair()],
  csrCombinedSizes: () => [true, ...sparse(), ...sparse(), new Int32Array(3)],
  csrCombine: () => [
    true,
    ...sparse(),
    ...sparse(),
    Int32Array.of(0, 1, 2),
    new Int32Array(2),
    new Float32Array(2),
  ],
  fromPixels: () => [2, -1, 255, Float64Array.of(0, 0, 1, 0, 1), bytes.x, new Float32Array(2)],
  toPixels: () => [2, 1, 255, 1, 0, x, new Uint8Array(4)],
  fromPixelsAsync: () => [
    2,
    -1,
    255,
    Float64Array.of(1, 0, 1, 0, 1),
    new Uint8Array(4),
    new Float32Array(2),
    later,
  ],
  toPixelsAsync: () => [2, 1, 255, 1, 0, new Float32Array(4), new Uint8Array(4), later],
  // WebAssembly has none.
  ...(addon.convolvePixelsAsync && {
    convolvePixelsAsync: () => [
      ...[run(), 1, -1, 255, Float64Array.of(0, 0, 1, 0, 1), 1, -1, 255, 1, 0],
      ...[new Uint8Array(4), new Uint8Array(3), later],
    ],
  }),
  vectorCombine: () => [1, x, 1, x.slice()],
  vectorDot: () => [x, x],
  singularValues: () => [2, 2, new Float64Array(8), new Float64Array(8), new Float64Array(4)],
  maxPool: () => [pool(), x, y, null],
  avgPool: () => [pool(), x, y],
  maxPoolGrad: () => [1, 2, 4, w, Int32Array.of(0, 3), x],
  batchMoments: () => [2, 2, 1, x, ...numbers(2)],
  channelAffine: () => [2, 2, 1, x, ...numbers(2), true, new Float32Array(4)],
  batchNormGrad: () => [2, 2, 1, x, x, ...numbers(4), true, true, new Float32Array(4), ...numbers(2)],
  rectify: () => [x, new Float32Array(4)],
  rectifyGrad: () => [x, x, new Float32Array(4)],
  sumElements: () => [x, x, true, new Float32Array(4)],
  fft: () => [x, null, new Float32Array(4), new Float32Array(4), 1],
  fftConvolve: () => [x, w, 4, 0, new Float32Array(5)],
  fftConvolveComplex: () => [x, x, w, w, 4, 0, new Float32Array(5), new Float32Array(5)],
  storeFixed: () => [
    new Int32Array(4),
    new Int32Array(4),
    null,
    null,
    2,
    new Float64Array(2),
    1,
    -8,
    7,
    new Int8Array(4),
  ],
  splitWords: () => [new Int16Array(4), new Uint8Array(4), new Int8Array(4)],
  fixedConv2: () => [fixed(), new Int16Array(4), new Int16Array(2), new Int16Array(3)],
};

const counts = { refused: 0, worked: 0 };
const untried = Object.keys(addon).filter((name) => typeof addon[name] === 'function' && !(name in RIGHT));
const attempt = (call) => {
  try {
    call();
    counts.worked++;
  } catch {
    counts.refused++;
  }
};

for (const [name, make] of Object.entries(RIGHT)) {
  addon[name](...make()); // right, or nothing that follows is worth anything
  for (let at = 0; at < make().length; at++) {
    for (const wrong of WRONG) attempt(() => addon[name](...make().with(at, wrong)));
    attempt(() => addon[name](...make().slice(0, at)));
  }
}
addon.configure({ ArgumentError: RangeError, MemoryError: RangeError });

// Plans with a field that lies, beside arrays of the lengths that they had without it.
const LIES = [-(2 ** 31), -1, 0, 2, 3, 5, 7, 64, 2 ** 31 - 1];
const lying = (names, call) => {
  for (const name of names) {
    for (const value of LIES) attempt(() => call({ [name]: value }));
  }
};
const integers = (n) => new Int16Array(n);
for (let at = 0; at < words().length; at++) {
  for (const value of [...LIES, 0.5, Number.NaN, 2 ** 53]) {
    attempt(() => network([[at, value]])(arena(), [], [new Float32Array(4)], null));
  }
}
for (const op of [0, 1]) {
  lying(addon.convPlanFields, (lie) =>
    addon.conv(conv({ op, ...lie }), w, null, -1, 1, op ? y : x, op ? x : y),
  );
}
lying(addon.convPlanFields, (lie) => addon.convWeightGrad(conv({ op: 2, ...lie }), x, y, w));
lying(addon.convPlanFields, (lie) => addon.unfold(conv(lie), x, new Float32Array(6)));
lying(addon.convPlanFields, (lie) => addon.fold(conv(lie), new Float32Array(6), x));
lying(addon.convPlanFields, (lie) =>
  addon.convEntries(
    conv(lie),
    Float32Array.of(1, 2),
    new Int32Array(4),
    new Int32Array(6),
    new Float32Array(6),
  ),
);
lying(addon.integerPlanFields, (lie) =>
  addon.convInteger(integer(lie), bytes.w, ...scales(), bytes.x, bytes.y),
);
lying(addon.integerPlanFields, (lie) =>
  addon.prepareInteger(integer(lie), bytes.w, ...scales())(bytes.x, bytes.y),
);
lying(addon.poolPlanFields, (lie) => addon.maxPool(pool(lie), x, y, new Int32Array(3)));
lying(addon.poolPlanFields, (lie) => addon.avgPool(pool(lie), x, y));
lying(addon.fixedPlanFields, (lie) => addon.fixedConv2(fixed(lie), integers(4), integers(2), integers(3)));
for (const value of LIES) {
  attempt(() => addon.maxPoolGrad(1, 2, 4, w, Int32Array.of(0, value), x));
  for (const at of [0, 1, 2]) {
    const indptr = [0, 1, 2].with(at, value);
    const indices = at < 2 ? [0, 1].with(at, value) : undefined;
    for (const parts of [sparse(indptr), sparse(undefined, indices)]) {
      attempt(() => addon.csrMatvec(...parts, ...pair()));
      attempt(() => addon.csrRmatvec(...parts, ...pair(), true));
      attempt(() => addon.csrMatmat(...parts, 1, ...pair()));
    }
  }
  attempt(() => addon.fftConvolve(x, w, value, 0, y));
  attempt(() => addon.fftConvolve(x, w, 4, value, y));
}

// Algorithms for geometries that they do not serve, and sizes that their kernels would divide by: refused, each of them.
const square = (size, kernel, { stride = 1, dilation = 1, ...change }) => {
  const fields = { ...CONV };
  const out = Math.floor((size - dilation * (kernel - 1) - 1) / stride) + 1;
  for (const axis of ['height', 'width']) {
    for (const [name, value] of Object.entries({ in: size, kernel, stride, dilation, out })) {
      fields[`${axis}.${name}`] = value;
    }
  }
  return { ...fields, ...change };
};
const [DEPTHWISE, WINOGRAD, FFT] = [2, 3, 4];
const UNSERVED = {
  'Winograd of 1x1': square(9, 1, { algorithm: WINOGRAD, variant: 4 }),
  'Winograd of 2x2': square(9, 2, { algorithm: WINOGRAD, variant: 2 }),
  'Winograd of 5x5': square(9, 5, { algorithm: WINOGRAD, variant: 4 }),
  'Winograd of 1x3': square(9, 3, { algorithm: WINOGRAD, variant: 4, 'height.kernel': 1 }),
  'Winograd with a stride': square(9, 3, { algorithm: WINOGRAD, variant: 4, stride: 2 }),
  'Winograd with a dilation': square(9, 3, { algorithm: WINOGRAD, variant: 4, dilation: 2 }),
  'Winograd by tiles of 3': square(9, 3, { algorithm: WINOGRAD, variant: 3 }),
  'Winograd of slices': square(9, 3, { algorithm: WINOGRAD, variant: 4, 'depth.in': 2, 'depth.out': 2 }),
  'Winograd, transposed, of 5x5': square(9, 5, { algorithm: WINOGRAD, variant: 4, op: 1 }),
  'depthwise of 7x7': square(9, 7, { algorithm: DEPTHWISE }),
  'depthwise of 1x3': square(9, 3, { algorithm: DEPTHWISE, 'height.kernel': 1 }),
  'depthwise with a stride of 3': square(9, 3, { algorithm: DEPTHWISE, stride: 3 }),
  'depthwise of two channels in one group': square(9, 3, { algorithm: DEPTHWISE, inChannels: 2 }),
  'two passes with a stride': square(9, 3, { algorithm: DEPTHWISE, variant: 1, stride: 2 }),
  'Fourier tiles of 7': square(9, 3, { algorithm: FFT, variant: (7 << 16) | 7 }),
  'Fourier lines of 200': square(300, 3, { algorithm: FFT, variant: (1 << 16) | 200, 'height.kernel': 1 }),
  'Fourier lines of several rows': square(300, 3, { algorithm: FFT, variant: (1 << 16) | 256 }),
  'no output channels': square(9, 3, { outChannels: 0 }),
  'no input channels to write': square(9, 3, { inChannels: 0, op: 1 }),
  'no input channels, by direct': square(9, 3, { inChannels: 0, algorithm: 1 }),
};
const elements = (...sizes) => new Float32Array(sizes.reduce((product, size) => product * size, 1));
const accepted = Object.entries(UNSERVED).filter(([, fields]) => {
  const of = (name) => ['depth', 'height', 'width'].map((axis) => fields[`${axis}.${name}`]);
  const image = elements(fields.inChannels, ...of('in'));
  const kernel = elements(fields.inChannels, fields.outChannels, ...of('kernel'));
  const result = elements(fields.outChannels, ...of('out'));
  const [from, to] = fields.op === 1 ? [result, image] : [image, result];
  try {
    addon.conv(wire(addon.convPlanFields, fields), kernel, null, -1, 1, from, to);
    return true;
  } catch (error) {
    return !/^plan\./.test(error.message); // for another reason
  }
});

// Networks whose words lie: those of models with steps of every kind, as the library lowers them.
async function lyingNetworks() {
  const { prepareNetwork, prepareNetworkAsync } = addon;
  const lowered = [];
  addon.prepareNetworkAsync = (...args) => {
    lowered.push(args);
    return prepareNetworkAsync(...args);
  };
  const { cases } = JSON.parse(readFileSync(join(__dirname, '../../golden/torch_onnx.json'), 'utf8'));
  for (const { id, tensors } of cases) {
    if (!/opset 17$/.test(id)) continue;
    const { shape } = tensors['x as exported'];
    const model = Buffer.from(tensors.model.data, 'base64');
    await onnx.prepareNetwork(model, { inputShapes: { x: shape } });
  }
  addon.prepareNetworkAsync = prepareNetworkAsync;
  for (const [words, arenaBytes, inputBytes, outputBytes, constants] of lowered) {
    const arrays = (sizes) => sizes.map((bytes) => new Float32Array(bytes / 4));
    for (let at = 0; at < words.length; at++) {
      for (const value of [Number.NaN, 2 ** 52, words[at] + 1, ...LIES]) {
        attempt(() => {
          const args = [words.with(at, value), arenaBytes, inputBytes, outputBytes, constants, null];
          const run = prepareNetwork(...args);
          run(new Uint8Array(arenaBytes), arrays(inputBytes), arrays(outputBytes), null);
          addon.releaseNetwork(run);
        });
      }
    }
  }
  return lowered.length;
}

const handle = run();
addon.release(handle);
for (const call of [
  () => handle(x, y),
  () => addon.release(handle),
  () => addon.runAsync(handle, x, y, later),
]) {
  attempt(call);
}
const integerHandle = runInteger();
for (const wrong of WRONG) {
  attempt(() => integerHandle(wrong, bytes.y));
  attempt(() => integerHandle(bytes.x, wrong));
}
addon.releaseInteger(integerHandle);
attempt(() => integerHandle(bytes.x, bytes.y));
attempt(() => addon.releaseInteger(integerHandle));
attempt(() => addon.release(runInteger()));
attempt(() => addon.releaseInteger(run()));
const networkHandle = network();
for (const wrong of WRONG) {
  attempt(() => networkHandle(wrong, [], [new Float32Array(4)], null));
  attempt(() => networkHandle(arena(), wrong, [new Float32Array(4)], null));
  attempt(() => networkHandle(arena(), [wrong], [new Float32Array(4)], null));
  attempt(() => networkHandle(arena(), [], [wrong], null));
  attempt(() => networkHandle(arena(), [], [new Float32Array(4)], wrong));
}
addon.releaseNetwork(networkHandle);
attempt(() => networkHandle(arena(), [], [new Float32Array(4)], null));
attempt(() => addon.releaseNetwork(networkHandle));
attempt(() => addon.releaseNetwork(run()));
const right = conv1d([[1, 2, 3]], [[[1, 10]]]).data.join() === '21,32';
lyingNetworks().then((networks) => {
  const outcome = { ...counts, networks, untried, accepted: accepted.map(([name]) => name), right };
  setTimeout(() => console.log(JSON.stringify(outcome)), 50); // after the callbacks
});
