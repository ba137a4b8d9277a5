// Products with the matrix of a convolution: by structure, and stored in compressed sparse rows, each beside SciPy's
// CSR of the same matrix; and a pruned layer beside the dense convolution. One thread, float32, interleaved in rounds,
// answers checked before they are timed. Milliseconds; ratios of medians, ratios of minima in brackets.
//
//   node bench/matrix.bench.mjs [--rounds 15] [--only <part of a name>]
//
// Peers are SciPy (Debian's python3-scipy) and onnxruntime-node (npm ci in bench/).
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { needPython, ONE_THREAD, startPython } from './python.mjs';
import { figures } from './timing.mjs';

process.env.CONVMAT_NUM_THREADS ??= '1';
const require = createRequire(import.meta.url);
const { backendInfo, convMatrix, prepareConv, Tensor } = require('../dist/index.js');

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, only: { type: 'string', default: '' } },
});
const rounds = Number(options.rounds);

const CASES = [
  { name: '1 channel, 3×3 on 512×512', outputs: 1, inputs: 1, kernel: 3, size: 512 },
  { name: '1 channel, 15×15 on 512×512', outputs: 1, inputs: 1, kernel: 15, size: 512 },
  { name: '6 → 16 channels, 3×3 on 64×64', outputs: 16, inputs: 6, kernel: 3, size: 64 },
  { name: '64 → 64 channels, 3×3 on 28×28', outputs: 64, inputs: 64, kernel: 3, size: 28 },
];
const PRUNED = {
  name: '64 → 64 channels, 3×3 on 56×56, pruned',
  outputs: 64,
  inputs: 64,
  kernel: 3,
  size: 56,
};

/** As the peer makes it. */
const vector = (length) => Float32Array.from({ length }, (_, i) => ((i * 7919) % 1024) / 1024 - 0.5);
const noise = (length) => Float32Array.from({ length }, () => Math.random() - 0.5);

/** Milliseconds of one run, from as many as take a while. */
function timeOf(run, milliseconds = 4) {
  let runs = 0;
  const start = performance.now();
  do {
    run();
    runs++;
  } while (performance.now() - start < milliseconds);
  return (performance.now() - start) / runs;
}

const show = ({ median, min }) => `${median.toPrecision(4)} (${min.toPrecision(4)})`;
const ratio = (peer, own) =>
  `${(peer.median / own.median).toFixed(1)}× (${(peer.min / own.min).toFixed(1)}×)`;

const startSciPy = () => startPython(needPython('scipy'), 'scipy_matrix.py', { env: ONE_THREAD });

const floats = (base64) => new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);

function expectClose(got, want, what) {
  const largest = want.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  for (let i = 0; i < want.length; i++) {
    if (!(Math.abs(got[i] - want[i]) <= 1e-5 * largest))
      throw new Error(`${what}: ${got[i]} at ${i}, not ${want[i]}`);
  }
}

async function raceMatrix(scipy, { name, outputs, inputs, kernel, size }, bandwidth) {
  const weight = noise(outputs * inputs * kernel * kernel);
  const shape = [outputs, inputs, kernel, kernel];
  const geometry = { inputShape: [inputs, size, size], padding: (kernel - 1) / 2 };
  const build = () => convMatrix(new Tensor(weight, shape), geometry).toCSR();
  const B = convMatrix(new Tensor(weight, shape), geometry);
  const large = B.nnz > 1e7;
  const [x, y] = [vector(B.shape[1]), vector(B.shape[0])];
  const [Bx, BTy] = [new Float32Array(B.shape[0]), new Float32Array(B.shape[1])];

  const theirs = await scipy.ask({
    do: 'make',
    weight: Buffer.from(weight.buffer).toString('base64'),
    shape,
    size,
    runs: large ? 2 : 5,
  });
  if (theirs.nnz !== B.nnz) throw new Error(`${name}: ${B.nnz} entries, not ${theirs.nnz}`);
  const built = figures(Array.from({ length: large ? 3 : 7 }, () => timeOf(build, 0)));
  const A = build();
  const expected = floats((await scipy.ask({ do: 'result' })).y);
  expectClose(B.matvec(x), expected, name);
  expectClose(A.matvec(x), expected, `${name}, CSR`);

  const samples = {
    structure: [],
    allocating: [],
    transposed: [],
    csr: [],
    csrTransposed: [],
    peer: [],
    peerTransposed: [],
  };
  for (let round = 0; round < rounds; round++) {
    samples.structure.push(timeOf(() => B.matvec(x, Bx)));
    samples.allocating.push(timeOf(() => B.matvec(x)));
    samples.transposed.push(timeOf(() => B.rmatvec(y, BTy)));
    // As the peer: so many runs in a row, each by itself, so that both find what the caches can keep of a matrix.
    const runs = large ? 1 : 4;
    for (let run = 0; run < runs; run++) samples.csr.push(timeOf(() => A.matvec(x, Bx), 0));
    for (let run = 0; run < runs; run++) samples.csrTransposed.push(timeOf(() => A.rmatvec(y, BTy), 0));
    samples.peer.push(...(await scipy.ask({ do: 'time', what: 'matvec', runs })).samples);
    samples.peerTransposed.push(...(await scipy.ask({ do: 'time', what: 'rmatvec', runs })).samples);
  }
  const [structure, allocating, transposed, csr, csrTransposed, peer, peerTransposed] =
    Object.values(samples).map(figures);
  const bytes = 8 * B.nnz + 4 * (B.shape[0] + 1);
  const share = bytes / csr.median / 1e6 / bandwidth;
  console.log(`\n${name}: ${B.nnz} entries, ${(bytes / 2 ** 20).toFixed(0)} MB as CSR`);
  console.log(`  SciPy CSR                 B·x ${show(peer)}   Bᵀ·y ${show(peerTransposed)}`);
  console.log(`  by structure              B·x ${show(structure)}   ${ratio(peer, structure)} as fast`);
  console.log(`                into a new array ${show(allocating)}   ${ratio(peer, allocating)} as fast`);
  console.log(
    `                           Bᵀ·y ${show(transposed)}   ${ratio(transposed, structure)} of B·x's time`,
  );
  console.log(
    `  CSR                       B·x ${show(csr)}   ${ratio(peer, csr)} as fast, ${(bytes / csr.median / 1e6).toFixed(1)} GB/s = ${(100 * share).toFixed(0)} % of ${bandwidth.toFixed(1)}`,
  );
  console.log(
    `                           Bᵀ·y ${show(csrTransposed)}   ${ratio(peerTransposed, csrTransposed)} as fast`,
  );
  const theirBuild = figures(theirs.samples);
  console.log(
    `  building CSR              ${show(built)}, SciPy ${show(theirBuild)}   ${ratio(theirBuild, built)} as fast`,
  );
}

/** Dense time over pruned time, by the share of weights that is left; and where the ways cross. */
async function racePruned({ name, outputs, inputs, kernel, size }) {
  const shape = [outputs, inputs, kernel, kernel];
  const geometry = { padding: (kernel - 1) / 2, inputShape: [1, inputs, size, size] };
  const x = new Tensor(noise(inputs * size * size), [1, inputs, size, size]);
  const out = new Tensor(new Float32Array(outputs * size * size), [1, outputs, size, size]);
  const contenders = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1].map((density) => {
    const weight = noise(outputs * inputs * kernel * kernel).map((w) => (Math.random() < density ? w : 0));
    const layer = prepareConv(new Tensor(weight, shape), { ...geometry, algorithm: 'toeplitz' });
    return {
      name: `toeplitz, ${(100 * density).toFixed(0)} % nonzero`,
      run: () => layer.run(x, out),
      samples: [],
    };
  });
  const dense = new Tensor(noise(outputs * inputs * kernel * kernel), shape);
  for (const accuracy of ['strict', 'fast']) {
    const layer = prepareConv(dense, { ...geometry, accuracy });
    const { chosen } = layer.explain(x.shape);
    contenders.push({ name: `dense, '${accuracy}': ${chosen}`, run: () => layer.run(x, out), samples: [] });
  }
  const direct = prepareConv(dense, { ...geometry, algorithm: 'direct' });
  contenders.push({ name: 'dense, direct', run: () => direct.run(x, out), samples: [] });
  const peer = await onnxruntime(shape, dense, x);
  for (let round = 0; round < 2 * rounds; round++) {
    for (const { run, samples } of contenders) samples.push(timeOf(run));
    if (peer) peer.samples.push(await peer.time());
  }
  console.log(`\n${name}`);
  const theirs = peer && figures(peer.samples);
  if (theirs) console.log(`  ${'onnxruntime, dense'.padEnd(28)} ${show(theirs)}`);
  for (const { name: what, samples } of contenders) {
    const own = figures(samples);
    console.log(`  ${what.padEnd(28)} ${show(own)}${theirs ? `   ${ratio(theirs, own)} as fast` : ''}`);
  }
}

async function onnxruntime(shape, weight, x) {
  try {
    const { default: ort } = await import('onnxruntime-node');
    const { convModel } = await import('./peers/onnx-model.mjs');
    const [outputs] = shape;
    const layer = {
      id: 'pruned',
      inputShape: x.shape,
      outputShape: [1, outputs, ...x.shape.slice(2)],
      weightShape: shape,
      stride: [1, 1],
      padding: [1, 1],
      dilation: [1, 1],
      groups: 1,
    };
    const session = await ort.InferenceSession.create(
      convModel(layer, weight.data, new Float32Array(outputs)),
      {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        logSeverityLevel: 3,
      },
    );
    const feeds = { x: new ort.Tensor('float32', x.data, x.shape) };
    return {
      samples: [],
      async time() {
        const start = performance.now();
        for (let i = 0; i < 3; i++) await session.run(feeds);
        return (performance.now() - start) / 3;
      },
    };
  } catch (error) {
    console.error(`without onnxruntime: ${error.message}`);
    return null;
  }
}

const { backend, isa, threads } = backendInfo();
console.log(
  `convmat on ${backend}, ${isa}, ${threads} thread(s); Node ${process.version}; ${rounds} rounds, ms`,
);
const scipy = startSciPy();
const { gigabytes } = await scipy.ask({ do: 'bandwidth' });
for (const one of CASES) if (one.name.includes(options.only)) await raceMatrix(scipy, one, gigabytes);
scipy.stop();
if (PRUNED.name.includes(options.only)) await racePruned(PRUNED);
