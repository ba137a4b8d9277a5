// Transforms, long convolutions and fixed point, each beside its peers: interleaved in rounds, answers checked before
// they are timed. Milliseconds.
//
//   node bench/signal.bench.mjs [--rounds 25]
//
// One thread unless CONVMAT_NUM_THREADS says otherwise. Peers are fft.js and ml-convolution (npm ci in bench/), SciPy
// (Debian's python3-scipy), and for fixed point the loop that people write.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { ONE_THREAD, pythonWith, startPython } from './python.mjs';
import { figures } from './timing.mjs';

process.env.CONVMAT_NUM_THREADS ??= '1';
const require = createRequire(import.meta.url);
const { backendInfo, fixed, signal } = require('../dist/index.js');
const FFT = require('fft.js');
const { fftConvolution } = require('ml-convolution');

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '25' } } });
const rounds = Number(options.rounds);
const noise = (length) => Float64Array.from({ length }, () => Math.random() - 0.5);

function expectClose(got, want, tolerance, what) {
  for (let i = 0; i < want.length; i++) {
    if (!(Math.abs(got[i] - want[i]) <= tolerance))
      throw new Error(`${what}: ${got[i]} at ${i}, not ${want[i]}`);
  }
}

/** Timer ticks and cold code weigh on short runs: they are timed in batches of at least this long. */
const BATCH_MS = 0.5;

/** Milliseconds per run, as the contender says or as measured. */
async function measure({ run }, batch) {
  const start = performance.now();
  let own;
  for (let i = 0; i < batch; i++) own = await run();
  return typeof own === 'number' ? own : (performance.now() - start) / batch;
}

/** Contenders in turn, `rounds` times; the first is convmat. A contender's `run` may give its own time. */
async function race(title, contenders, count = rounds) {
  const batches = [];
  for (const contender of contenders) {
    await measure(contender, 2);
    batches.push(Math.max(1, Math.ceil(BATCH_MS / (await measure(contender, 2)))));
  }
  const samples = contenders.map(() => []);
  for (let round = 0; round < count; round++) {
    for (const [i, contender] of contenders.entries()) samples[i].push(await measure(contender, batches[i]));
  }
  const taken = samples.map(figures);
  console.log(`\n${title}`);
  contenders.forEach(({ name }, i) => {
    const { median, min } = taken[i];
    const ratio =
      i === 0
        ? ''
        : `  convmat is ${(median / taken[0].median).toFixed(2)}× (min ${(min / taken[0].min).toFixed(2)}×) as fast`;
    console.log(
      `  ${name.padEnd(28)} median ${median.toFixed(3).padStart(9)}  min ${min.toFixed(3).padStart(9)}${ratio}`,
    );
  });
}

async function raceTransform(n) {
  const peer = new FFT(n);
  const [re, im] = [noise(n), noise(n)];
  const out = { re: new Float64Array(n), im: new Float64Array(n) };
  const interleaved = new Float64Array(2 * n).map((_, i) => (i % 2 === 0 ? re : im)[i >> 1]);
  const result = new Float64Array(2 * n);
  peer.transform(result, interleaved);
  signal.fft({ re, im }, n, out);
  expectClose(
    out.re,
    result.filter((_, i) => i % 2 === 0),
    1e-10 * Math.sqrt(n),
    'fft',
  );
  await race(`fft of ${n} complex float64 points, into arrays of the caller`, [
    { name: 'convmat', run: () => void signal.fft({ re, im }, n, out) },
    { name: 'fft.js', run: () => void peer.transform(result, interleaved) },
  ]);
  await race(`fft of ${n} real float64 points, all of the spectrum`, [
    { name: 'convmat', run: () => void signal.fft(re, n, out) },
    {
      name: 'fft.js',
      run: () => {
        peer.realTransform(result, re);
        peer.completeSpectrum(result);
      },
    },
  ]);
}

/** SciPy in a process of its own, one thread; null where there is none. */
function startSciPy() {
  const python = pythonWith('scipy');
  if (python === undefined) return null;
  const { ask, stop } = startPython(python, 'scipy_signal.py', { env: ONE_THREAD });
  return {
    async time(a, b, complex = false) {
      const [time] = await ask({ signal: a, kernel: b, runs: 1, complex });
      return time;
    },
    stop,
  };
}

async function raceConvolution(scipy, length, kernelLength) {
  const a = noise(length);
  const b = noise(kernelLength);
  const full = signal.conv(a, b);
  const at = Math.floor(full.length / 2);
  let sum = 0;
  for (let j = 0; j < kernelLength; j++) sum += b[j] * a[at - j];
  expectClose([full[at]], [sum], 1e-9, 'conv');
  await race(
    `convolution of ${length} with ${kernelLength}, all of it`,
    [
      { name: 'convmat', run: () => void signal.conv(a, b) },
      ...(scipy ? [{ name: 'scipy.signal.fftconvolve', run: () => scipy.time(length, kernelLength) }] : []),
      { name: 'ml-convolution', run: () => void fftConvolution(a, b) },
    ],
    Math.ceil(rounds / 5),
  );
}

async function raceComplex(scipy, length, kernelLength) {
  const [a, b] = [length, kernelLength].map((n) => ({ re: noise(n), im: noise(n) }));
  const found = signal.conv(a, b);
  const at = Math.floor(found.re.length / 2);
  let sum = 0;
  for (let j = Math.max(0, at - length + 1); j < Math.min(kernelLength, at + 1); j++)
    sum += b.re[j] * a.re[at - j] - b.im[j] * a.im[at - j];
  expectClose([found.re[at]], [sum], 1e-9, 'conv of complex numbers');
  await race(
    `convolution of ${length} with ${kernelLength} complex numbers, all of it`,
    [
      { name: 'convmat', run: () => void signal.conv(a, b) },
      ...(scipy
        ? [{ name: 'scipy.signal.fftconvolve', run: () => scipy.time(length, kernelLength, true) }]
        : []),
    ],
    Math.ceil(rounds / 5),
  );
}

/** The loop over fi objects that people write, with fi as plain arithmetic. */
function everyStepLoop(image, kernel, height, width) {
  const fi = (value) => Math.min(127, Math.max(-128, Math.floor(value * 128 + 0.5))) / 128;
  const [rows, columns] = [height - 2, width - 2];
  const output = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let r = 0; r < 3; r++) {
        for (let c = 0; c < 3; c++) {
          const product = fi((image[(i + r) * width + j + c] * kernel[8 - (r * 3 + c)]) / 16384);
          sum = fi(sum + product);
        }
      }
      output[i * columns + j] = sum;
    }
  }
  return output;
}

async function raceFixed(size) {
  const byte = { signed: true, wordLength: 8, fractionLength: 0 };
  const draw = (length) => Int8Array.from({ length }, () => Math.floor(Math.random() * 256) - 128);
  const [pixels, taps] = [draw(size * size), draw(9)];
  const image = fixed.fi({ data: pixels, shape: [size, size] }, byte);
  const kernel = fixed.fi({ data: taps, shape: [3, 3] }, byte);
  const output = { signed: true, wordLength: 8, fractionLength: 7 };
  const conv2 = (accumulate) => fixed.conv2(image, kernel, { output, productShift: 14, accumulate });
  expectClose(conv2('every-step').toFloat().data, everyStepLoop(pixels, taps, size, size), 0, 'fixed.conv2');
  await race(`fixed.conv2 3×3 on ${size}×${size}, 8 bits`, [
    { name: "convmat, 'every-step'", run: () => void conv2('every-step') },
    { name: "convmat, 'full'", run: () => void conv2('full') },
    { name: 'a JavaScript loop, every step', run: () => void everyStepLoop(pixels, taps, size, size) },
  ]);
}

const { backend, isa, threads } = backendInfo();
console.log(
  `convmat on ${backend}, ${isa}, ${threads} thread(s); Node ${process.version}; median and minimum of ${rounds} rounds, ms`,
);
for (const n of [1024, 65536, 1 << 20]) await raceTransform(n);
const scipy = startSciPy();
await raceConvolution(scipy, 1e6, 9999);
await raceConvolution(scipy, 1e5, 999);
await raceComplex(scipy, 1e6, 9999);
await raceComplex(scipy, 2e5, 2e5);
scipy?.stop();
await raceFixed(512);
