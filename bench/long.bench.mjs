// Long and large kernels, forward and both gradients, beside the faster of scipy.signal.fftconvolve and oaconvolve:
// milliseconds, the least of some rounds that are run in turn, as a table in Markdown and a chart (bench/results/long.svg).
//
//   npm run bench:long -- [--rounds 3] [--js] [--largest 1000000]
//
// All of the machine's threads, as each contender uses them by default; CONVMAT_NUM_THREADS=1 for one.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { needPython, startPython } from './python.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    js: { type: 'boolean', default: false },
    largest: { type: 'string', default: '1000000' },
  },
});
if (options.js) process.env.CONVMAT_BACKEND = 'js';
const { backendInfo, conv1d, conv2d, conv3d, convInputGrad, convWeightGrad } = createRequire(import.meta.url)(
  '../dist/node/index.cjs',
);
const rounds = Number(options.rounds);

const ARRAYS = { float32: Float32Array, float64: Float64Array };
function noise(shape, dtype) {
  const data = new ARRAYS[dtype](shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = Math.random() - 0.5;
  return { data, shape };
}

function startSciPy() {
  const { ask, stop } = startPython(needPython('scipy'), 'scipy_long.py');
  return { time: (request) => ask({ runs: 1, ...request }), stop };
}

const conv = [conv1d, conv2d, conv3d];

/** The product of the same sizes by SciPy: a gradient's kernel is the gradient of the output, its result the weight. */
function problem(size, kernel, direction, dtype) {
  const rank = size.length;
  const [x, w] = [noise([1, 1, ...size], dtype), noise([1, 1, ...kernel], dtype)];
  const padding = kernel.map((k) => k >> 1);
  const out = size.map((n, i) => n + 2 * padding[i] - kernel[i] + 1);
  if (direction === 'forward')
    return {
      run: () => conv[rank - 1](x, w, { padding }),
      peer: { signal: size, kernel, mode: 'same', dtype },
    };
  const g = noise([1, 1, ...out], dtype);
  return direction === 'input gradient'
    ? {
        run: () => convInputGrad(x.shape, w, g, { padding }),
        peer: { signal: out, kernel, mode: 'same', dtype },
      }
    : {
        run: () => convWeightGrad(x, w.shape, g, { padding }),
        peer: { signal: size.map((n, i) => n + 2 * padding[i]), kernel: out, mode: 'valid', dtype },
      };
}

const largest = Number(options.largest);
const TAPS = [1000, 2000, 5000, 10_000, 20_000, 24_000, 32_768, 50_000, 100_000, 200_000, 500_000, 1_000_000];
const SIDES = [32, 64, 128, 256, 512, 1023, 1025, 2048];
const series = [];
for (const dtype of ['float32', 'float64']) {
  for (const direction of ['forward', 'input gradient', 'weight gradient']) {
    const taps = TAPS.filter((n) => n <= largest);
    series.push({
      title: `conv1d, 10⁶ samples, ${dtype}, ${direction}`,
      points: taps.map((n) => ({ at: n, size: [1e6], kernel: [n], dtype, direction })),
    });
    series.push({
      title: `conv2d, 2048², ${dtype}, ${direction}`,
      points: SIDES.filter((n) => n * n <= 4.2 * largest).map((n) => ({
        at: n,
        size: [2048, 2048],
        kernel: [n, n],
        dtype,
        direction,
      })),
    });
  }
}
series.push({
  title: 'conv3d, 128³, float32, forward',
  points: [8, 16, 32, 64].map((n) => ({
    at: n,
    size: [128, 128, 128],
    kernel: [n, n, n],
    dtype: 'float32',
    direction: 'forward',
  })),
});

const scipy = startSciPy();
const { backend, isa, threads } = backendInfo();
console.log(
  `convmat on ${backend}, ${isa}, ${threads} thread(s); milliseconds, the least of ${rounds} rounds\n`,
);
for (const { title, points } of series) {
  console.log(`### ${title}\n\n| taps | convmat | SciPy | ratio |\n| ---: | ---: | ---: | ---: |`);
  for (const point of points) {
    const { run, peer } = problem(point.size, point.kernel, point.direction, point.dtype);
    run();
    point.own = point.peer = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const start = performance.now();
      run();
      point.own = Math.min(point.own, performance.now() - start);
      point.peer = Math.min(point.peer, await scipy.time(peer));
    }
    const label = point.kernel.length === 1 ? `${point.at}` : `${point.at}${'²³'[point.kernel.length - 2]}`;
    console.log(
      `| ${label} | ${point.own.toFixed(1)} | ${point.peer.toFixed(1)} | ${(point.own / point.peer).toFixed(2)} |`,
    );
  }
  console.log();
}
scipy.stop();
const folder = fileURLToPath(new URL('./results/', import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}long-${backend}.svg`, chart(series));

/** Small multiples on logarithmic axes: convmat's line over SciPy's. */
function chart(all) {
  const [width, height, pad] = [300, 200, 36];
  const columns = 3;
  const panels = all.map(({ title, points }, index) => {
    const [x0, y0] = [(index % columns) * width, Math.floor(index / columns) * height];
    const times = points.flatMap(({ own, peer }) => [own, peer]);
    const [low, high] = [Math.log10(Math.min(...times)), Math.log10(Math.max(...times))];
    const [left, right] = [Math.log10(points[0].at), Math.log10(points[points.length - 1].at)];
    const place = (at, time) => {
      const x = x0 + pad + ((Math.log10(at) - left) / (right - left || 1)) * (width - 2 * pad);
      const y = y0 + height - pad - ((Math.log10(time) - low) / (high - low || 1)) * (height - 2 * pad);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    };
    const line = (of, colour) =>
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map((p) => place(p.at, of(p))).join(' ')}"/>`;
    const text = (x, y, words) => `<text x="${x0 + x}" y="${y0 + y}">${words}</text>`;
    return [
      line((p) => p.peer, '#999999'),
      line((p) => p.own, '#0066cc'),
      text(pad, 20, title),
      text(pad, height - 16, `${points[0].at} … ${points[points.length - 1].at} taps a side`),
      text(2, pad, `${(10 ** high).toFixed(0)} ms`),
      text(2, height - pad, `${(10 ** low).toFixed(1)} ms`),
    ].join('\n');
  });
  const rows = Math.ceil(all.length / columns);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${columns * width}" height="${rows * height + 24}" font-family="sans-serif" font-size="10">
<rect width="100%" height="100%" fill="white"/>
${panels.join('\n')}
<text x="8" y="${rows * height + 14}" font-size="12"><tspan fill="#0066cc">convmat</tspan> and <tspan fill="#999999">SciPy (the faster of fftconvolve and oaconvolve)</tspan></text>
</svg>
`;
}
