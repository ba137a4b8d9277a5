/**
 * node hashes.cjs DIST: a few thousand seeded problems on the build in that folder and on the backend that the
 * environment chooses, as JSON: what was computed → {problems, refused, hash of all results}.
 */
const { createHash } = require('node:crypto');
const { join, resolve } = require('node:path');
const convmat = require(join(resolve(process.argv[2]), 'index.js'));
// This checkout's own: both builds are given the same numbers.
const { random } = require('../../dist/random.js');

const { ALGORITHMS } = require('../../dist/plan/algorithms/algorithm.js');
const MODES = ['zeros', 'circular', 'reflect', 'replicate'];
const FLOATS = ['float32', 'float64'];
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
};

const { uniform, below } = random(20_260_601);
const pick = (list) => list[below(list.length)];
const between = (least, most) => least + below(most - least + 1);
const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

/** A tensor of the dtype: floats in [-1, 1), the elements below `zeroed` in size 0; integers over their whole range. */
function tensor(shape, dtype, zeroed = 0) {
  const data = new ARRAYS[dtype](product(shape));
  const spread = dtype.startsWith('float') ? 2 : 2 ** (8 * data.BYTES_PER_ELEMENT);
  for (let i = 0; i < data.length; i++) {
    const value = (uniform() - 0.5) * spread;
    data[i] = Math.abs(value) < zeroed ? 0 : value;
  }
  return new convmat.Tensor(data, shape);
}

const groups = new Map();

function digest(hash, result) {
  if (ArrayBuffer.isView(result)) {
    hash.update(`${result.constructor.name} ${result.length}`);
    hash.update(new Uint8Array(result.buffer, result.byteOffset, result.byteLength));
  } else if (result instanceof convmat.Tensor) {
    hash.update(`[${result.shape}]`);
    digest(hash, result.data);
  } else if (typeof result === 'object' && result !== null) {
    for (const key of Object.keys(result).sort()) digest(hash, result[key]);
  } else {
    hash.update(String(result));
  }
}

/** Adds a result, or the class of the error that came instead, to what is known of `name`. */
function record(name, compute) {
  let group = groups.get(name);
  if (group === undefined) {
    group = { problems: 0, refused: 0, hash: createHash('sha256') };
    groups.set(name, group);
  }
  group.problems++;
  let result;
  try {
    result = compute();
  } catch (error) {
    if (!(error instanceof convmat.ConvmatError)) throw error;
    group.refused++;
    result = error.code;
  }
  digest(group.hash, result);
}

/** A size: small as a rule, now and then around the vectors and tiles of the kernels. */
function size(most) {
  const edge = pick([8, 14, 16, 28, 32, 48, 64]) + between(-1, 1);
  return below(3) === 0 ? Math.min(edge, most) : between(1, Math.min(most, 9));
}

/** Channels, kernels and strides of any convolution; the named kinds are those that only some algorithms serve. */
const KINDS = {
  any() {
    const groups = pick([1, 1, between(2, 4), size(40)]);
    const most = groups > 4 ? 3 : 66;
    const rank = pick([1, 2, 2, 3]);
    const cube = pick([1, 3, 5, between(1, rank === 1 ? 40 : 9)]);
    const kernel = Array.from({ length: rank }, () => (below(4) === 0 ? between(1, 7) : cube));
    return {
      groups,
      inputs: size(most),
      outputs: size(most),
      kernel,
      strides: [1, 1, 2, 3],
      dilations: [1, 1, 2, 3],
    };
  },
  winograd() {
    const [inputs, outputs] = [between(16, 70), between(16, 70)];
    return { groups: pick([1, 1, 2]), inputs, outputs, kernel: [3, 3], strides: [1], dilations: [1] };
  },
  depthwise() {
    const kernel = pick([
      [3, 3],
      [3, 3],
      [5, 5],
    ]);
    return {
      groups: size(66),
      inputs: 1,
      outputs: pick([1, 1, 2]),
      kernel,
      strides: [1, 1, 2],
      dilations: [1],
    };
  },
  separable() {
    const kernel = [between(3, 15), between(3, 15)];
    return {
      groups: between(1, 4),
      inputs: 1,
      outputs: pick([1, 2]),
      kernel,
      strides: [1],
      dilations: [1, 1, 2],
    };
  },
  fft() {
    const k = between(3, 19);
    const kernel = pick([[k, k], [k, k], [20 * k], [1, 5 * k]]);
    return {
      groups: between(1, 2),
      inputs: between(1, 8),
      outputs: between(1, 8),
      kernel,
      strides: [1],
      dilations: [1],
    };
  },
};

function convolution(kind) {
  const { groups, inputs, outputs, kernel, strides, dilations } = KINDS[kind]();
  const most = [0, 400, 48, 14][kernel.length];
  const [stride, dilation, isSame] = [pick(strides), pick(dilations), below(2) === 0];
  const axes = kernel.map((taps) => {
    const padding = isSame ? (taps >> 1) * dilation : between(0, 3);
    const span = (taps - 1) * dilation + 1;
    return { padding, size: Math.max(span, padding + 1, size(most) + below(taps)) };
  });
  return {
    rank: kernel.length,
    dtype: pick(FLOATS),
    input: [pick([1, 1, 2, 3, 0]), groups * inputs, ...axes.map((axis) => axis.size)],
    weight: [groups * outputs, inputs, ...kernel],
    options: {
      groups,
      paddingMode: pick(['zeros', 'zeros', 'zeros', ...MODES]),
      stride: kernel.map(() => (below(5) === 0 ? pick(strides) : stride)),
      dilation,
      padding: axes.map((axis) => axis.padding),
    },
  };
}

/** A convolution whose kernel is an outer product: it goes in two passes. */
function separableWeight([out, perGroup, rows, columns], dtype) {
  const weight = new convmat.Tensor(new ARRAYS[dtype](out * perGroup * rows * columns), [
    out,
    perGroup,
    rows,
    columns,
  ]);
  const [down, across] = [tensor([rows], dtype).data, tensor([columns], dtype).data];
  for (let i = 0; i < weight.data.length; i++) {
    weight.data[i] = down[Math.floor(i / columns) % rows] * across[i % columns];
  }
  return weight;
}

// What JavaScript has time for.
const MOST_PRODUCTS = 1e7;

function convolutions(kind, count) {
  while (count > 0) {
    const { rank, dtype, input, weight, options } = convolution(kind);
    const places = product(input.slice(2));
    if (input[0] * places * product(weight) > MOST_PRODUCTS) continue;
    count--;
    const x = tensor(input, dtype);
    if (below(8) === 0 && x.size > 0) x.data[below(x.size)] = pick([Number.NaN, Infinity, -Infinity]);
    const isSeparable = kind === 'separable';
    const w = isSeparable ? separableWeight(weight, dtype) : tensor(weight, dtype, pick([0, 0, 0, 0.7]));
    const bias = pick([null, tensor([weight[0]], dtype)]);
    const activation = pick(['none', 'none', 'relu', { clip: [-0.5, 0.75] }]);
    const manner = { ...options, bias, activation };
    const label = isSeparable ? ' of rank one' : '';
    for (const algorithm of [...ALGORITHMS, 'auto']) {
      record(`conv ${algorithm}${label} ${dtype}`, () =>
        convmat[`conv${rank}d`](x, w, { ...manner, algorithm }),
      );
    }
    record(`conv strict ${dtype}`, () => convmat[`conv${rank}d`](x, w, { ...manner, accuracy: 'strict' }));

    const outputs = product(convmat.explainConv(input, { shape: weight }, options).outputShape.slice(2));
    if (outputs === 0) continue;
    const y = convmat[`conv${rank}d`](x, w, { ...options, algorithm: 'im2col' }).shape;
    const g = tensor(y, dtype);
    record(`input gradient ${dtype}`, () => convmat.convInputGrad(input, w, g, options));
    record(`weight gradient ${dtype}`, () => convmat.convWeightGrad(x, weight, g, options));
    record(`bias gradient ${dtype}`, () => convmat.convBiasGrad(g));
    if (options.paddingMode === 'zeros') {
      const { paddingMode: _, ...transposed } = options;
      for (const algorithm of [...ALGORITHMS, 'auto']) {
        record(`transposed ${algorithm}${label} ${dtype}`, () =>
          convmat[`convTranspose${rank}d`](g, w, { ...transposed, activation, algorithm }),
        );
      }
    }
    matrix(w, options, input, dtype);
    others(input, weight, options, dtype);
  }
}

function matrix(w, options, input, dtype) {
  const m = convmat.convMatrix(w, { ...options, inputShape: input.slice(1) });
  const [rows, columns] = m.shape;
  const [x, y] = [tensor([columns], dtype), tensor([rows], dtype)];
  record(`matrix ${dtype}`, () => ({ a: m.matvec(x), b: m.rmatvec(y) }));
  if (m.nnz > 200_000) return;
  const csr = m.toCSR();
  const several = tensor([columns, between(1, 9)], dtype);
  record(`csr ${dtype}`, () => ({
    a: csr.indptr,
    b: csr.indices,
    c: csr.data,
    d: csr.matvec(x),
    e: csr.rmatvec(y),
    f: csr.matmat(several),
  }));
}

function others(input, weight, options, dtype) {
  const { groups: _, ...window } = options;
  const rank = weight.length - 2;
  const kernel = weight.slice(2);
  const any = pick([dtype, dtype, 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32']);
  const x = tensor(input, any);
  record(`unfold ${any}`, () => convmat.unfold(x, kernel, window));
  const columns = convmat.unfold(tensor(input, dtype), kernel, { ...window, paddingMode: 'zeros' });
  const { paddingMode: __, ...zeros } = window;
  record(`fold ${dtype}`, () => convmat.fold(columns, input.slice(2), kernel, zeros));
  const half = kernel.map((k) => between(0, k >> 1));
  const pooled = { stride: window.stride, padding: half, ceilMode: below(2) === 0 };
  record(`max pooling ${any}`, () =>
    convmat[`maxPool${rank}d`](x, kernel, { ...pooled, dilation: window.dilation }),
  );
  if (rank === 2)
    record(`max pooling with indices ${any}`, () => convmat.maxPool2dWithIndices(x, kernel, pooled));
  record(`average pooling ${dtype}`, () =>
    convmat[`avgPool${rank}d`](tensor(input, dtype), kernel, { ...pooled, countIncludePad: below(2) === 0 }),
  );
  const bytes = [tensor(input, pick(['int8', 'uint8'])), tensor(weight, pick(['int8', 'uint8']))];
  const points = { inputZeroPoint: between(0, 127), weightZeroPoint: between(0, 127) };
  const integers = { ...options, ...points };
  record(`integer ${bytes[0].dtype} ${bytes[1].dtype}`, () => convmat.convInteger(...bytes, integers));
  const scales = { inputScale: 0.02, weightScale: 0.003, outputScale: 0.11, outputZeroPoint: 7 };
  record(`quantized ${bytes[0].dtype} ${bytes[1].dtype}`, () =>
    convmat.qlinearConv(...bytes, { ...integers, ...scales }),
  );
}

function products(count) {
  for (let i = 0; i < count; i++) {
    const [m, n, k] = [size(66), size(130), size(66)].map((s) => (below(10) === 0 ? 5 * s : s));
    const dtype = pick(FLOATS);
    record(`matmul ${dtype}`, () => convmat.matmul(tensor([m, k], dtype), tensor([k, n], dtype)));
    const [a, b] = [pick(['int8', 'uint8']), pick(['int8', 'uint8'])];
    record(`matmul ${a} ${b}`, () => convmat.matmul(tensor([m, k], a), tensor([k, n], b)));
  }
}

function signals(count) {
  for (let i = 0; i < count; i++) {
    const dtype = 'float64';
    const [n, k] = [between(1, 4000), pick([between(1, 60), between(1, 3000)])];
    const shape = pick(['full', 'same', 'valid']);
    const [a, b] = [tensor([n], dtype), tensor([k], dtype)];
    record('signal conv', () => convmat.signal.conv(a, b, shape));
    record('signal cconv', () => convmat.signal.cconv(a, b, between(1, 5000)));
    const length = between(1, 6000);
    record('signal fft', () =>
      convmat.signal.fft({ re: tensor([length], dtype).data, im: tensor([length], dtype).data }),
    );
    record('signal fft of reals', () => convmat.signal.fft(tensor([length], dtype).data));
    record('signal ifft', () =>
      convmat.signal.ifft({ re: tensor([length], dtype).data, im: tensor([length], dtype).data }),
    );
    const image = tensor([between(1, 60), between(1, 60)], dtype);
    const kernel = tensor([between(1, 12), between(1, 12)], dtype);
    record('signal conv2', () => convmat.signal.conv2(image, kernel, shape));
    const [c, r] = [tensor([between(1, 9)], dtype), tensor([between(1, 9)], dtype)];
    record('signal conv2Separable', () => convmat.signal.conv2Separable(c, r, image, shape));
    record('structured', () =>
      convmat.toeplitz(a, tensor([n], dtype).data.with(0, a.data[0])).matvec(tensor([n], dtype)),
    );
  }
}

function fixedPoint(count) {
  const ROUNDINGS = ['nearest', 'floor', 'ceiling', 'zero', 'convergent', 'round'];
  for (let i = 0; i < count; i++) {
    const type = () => ({
      signed: below(2) === 0,
      wordLength: between(2, pick([8, 12, 16, 24])),
      fractionLength: between(0, 8),
      rounding: pick(ROUNDINGS),
      overflow: pick(['saturate', 'wrap']),
    });
    const [image, kernel, output] = [type(), type(), type()];
    const options = {
      output,
      shape: pick(['full', 'same', 'valid']),
      accumulate: pick(['full', 'every-step']),
    };
    record(`fixed ${options.accumulate}`, () => {
      const a = convmat.fixed.fi(tensor([between(1, 30), between(1, 70)], 'float64'), image);
      const b = convmat.fixed.fi(tensor([between(1, 5), between(1, 5)], 'float64'), kernel);
      return convmat.fixed.conv2(a, b, options).raw;
    });
  }
}

for (const kind of Object.keys(KINDS)) convolutions(kind, kind === 'any' ? 400 : 120);
products(150);
signals(60);
fixedPoint(300);

const found = {};
for (const [name, { problems, refused, hash }] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
  found[name] = { problems, refused, hash: hash.digest('hex').slice(0, 16) };
}
process.stdout.write(JSON.stringify(found));
