// How good 'auto' is: every algorithm that serves a geometry against the one that it takes, on random geometries and on
// the layers of bench/shapes. The regret of a choice is how much longer it takes than the fastest would have.
//
//   node bench/choose.bench.mjs [--count 300] [--seed 1] [--seconds 600] [--only regex] [--shapes] [--worst 12] [--json FILE]
//        [--limit 0.15]   fails when the 95th percentile of the regret exceeds it
//
// One thread; CONVMAT_ISA and CONVMAT_BACKEND say which kernels. Each answer is checked against im2col's before it is
// timed; algorithms take turns, and minima of processor time count. The least of several noisy times is mostly that of
// luck: where the choice seems to lose, it and the seeming winner are timed again, for themselves, before it is said to.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { backendInfo, explainConv, prepareConv, setNumThreads, tensor } from '../dist/index.js';
import { winograd } from '../dist/plan/algorithms/winograd.js';
import { layersOf, networks, product } from './layers.mjs';
import { stream } from './random.mjs';

setNumThreads(1);

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '600' },
    only: { type: 'string', default: '' },
    shapes: { type: 'boolean', default: false },
    worst: { type: 'string', default: '12' },
    json: { type: 'string' },
    limit: { type: 'string' },
  },
});

/** Milliseconds of a batch of runs, at least. */
const BATCH_MS = 0.3;
/** Milliseconds that one algorithm is timed for, and beyond which one run of it is enough. */
const TIMED_MS = 12;
const ROUNDS = 4;
/** An algorithm that took so many times as long as the fastest in two rounds is not timed further. */
const HOPELESS = 3;
/** A seeming regret from which both are timed again, and for how many rounds. */
const DOUBTFUL = 0.01;
const FINAL_ROUNDS = 12;
/** Milliseconds of a call that depend on where its arrays happen to lie more than on the algorithm. */
const CALL_NOISE_MS = 2e-4;
/** Multiplications of a geometry: more would take too long by the slow algorithms. */
const MOST = 1e8;

const random = stream(Number(options.seed));
/** Apart from the geometries, which stay the same when `only` some of them are measured. */
const randomValue = stream(Number(options.seed) + 2 ** 30);
const only = new RegExp(options.only);
const { backend, isa } = backendInfo();
const end = performance.now() + 1000 * Number(options.seconds);
const results = [];
for (const geometry of options.shapes ? layers() : draw(Number(options.count))) {
  if (!only.test(nameOf(geometry))) continue;
  if (performance.now() > end) break;
  results.push(measure(geometry));
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${results.length} ${nameOf(geometry)}`);
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
report(results);
if (options.json) writeFileSync(options.json, JSON.stringify({ isa, results }));
if (options.limit !== undefined && regret95(results) > Number(options.limit)) process.exitCode = 1;

function pick(items) {
  return items[Math.floor(random() * items.length)];
}

/** A size between low and high, as likely small as large. */
function size(low, high) {
  return Math.round(low * (high / low) ** random());
}

/** The layers of real networks. */
function layers() {
  return networks.flatMap(layersOf).map(({ inputShape, weightShape, stride, padding, groups }) => ({
    inputShape,
    weightShape,
    options: { stride, padding, groups },
  }));
}

function* draw(count) {
  for (let drawn = 0; drawn < count; ) {
    const geometry = drawOne();
    if (geometry === null) continue;
    drawn++;
    yield geometry;
  }
}

/** Kinds of convolutions that people run, each over all the sizes it comes in; null when one is no use. */
function drawOne() {
  const kind = pick([
    'dense',
    'dense',
    'dense',
    'pointwise',
    'depthwise',
    'grouped',
    'plane',
    'line',
    'volume',
  ]);
  const rank = kind === 'line' ? 1 : kind === 'volume' ? 3 : 2;
  const kernelOf = {
    dense: () => pick([2, 3, 3, 3, 4, 5, 7]),
    pointwise: () => 1,
    depthwise: () => pick([3, 3, 5, 7, 9]),
    grouped: () => pick([1, 3, 3, 5]),
    plane: () => size(3, 41),
    line: () => size(2, 600),
    volume: () => pick([1, 3, 3, 2]),
  };
  const side = kernelOf[kind]();
  const kernel = Array(rank).fill(side);
  if (kind === 'plane' && random() < 0.2) kernel[Math.floor(random() * 2)] = 1;
  const channels = () => (random() < 0.7 ? 2 ** Math.round(9 * random()) : size(1, 400));
  let groups = 1;
  let [inChannels, outChannels] = [channels(), channels()];
  if (kind === 'depthwise') {
    groups = inChannels;
    outChannels = inChannels * pick([1, 1, 1, 2]);
  } else if (kind === 'grouped') {
    groups = pick([2, 4, 8, 32]);
    inChannels = groups * size(1, 32);
    outChannels = groups * size(1, 32);
  } else if (kind === 'plane') {
    [inChannels, outChannels] = random() < 0.6 ? [1, 1] : [size(1, 24), size(1, 24)];
  } else if (kind === 'line' && random() < 0.4) {
    [inChannels, outChannels] = [1, 1];
  } else if (random() < 0.1) {
    inChannels = 3;
  }
  const longest = { plane: 600, line: 40000, volume: 40 }[kind] ?? 160;
  const spatial = Array(rank).fill(size(kind === 'line' ? 64 : 4, longest));
  const stride = side > 1 && random() < 0.2 ? 2 : 1;
  const dilation = side > 1 && random() < 0.06 ? 2 : 1;
  const padding = kernel.map((k) => (random() < 0.7 ? Math.floor((dilation * (k - 1)) / 2) : 0));
  if (spatial.some((s, axis) => s + 2 * padding[axis] < dilation * (kernel[axis] - 1) + 1)) return null;
  const batch = random() < 0.15 ? 4 : 1;
  const inputShape = [batch, inChannels, ...spatial];
  const weightShape = [outChannels, inChannels / groups, ...kernel];
  const outputs = spatial.map((s, axis) =>
    Math.floor((s + 2 * padding[axis] - dilation * (kernel[axis] - 1) - 1) / stride + 1),
  );
  const work = batch * product(outputs) * product(weightShape);
  if (work < 500 || work > MOST || product(inputShape) > 2e7) return null;
  return {
    inputShape,
    weightShape,
    options: { stride, padding, dilation, groups },
    separable: kind === 'plane' && inChannels === 1 && random() < 0.3,
  };
}

function nameOf({ inputShape, weightShape, options: o, separable }) {
  const extra = [
    o.groups > 1 && `groups ${o.groups}`,
    String(o.stride).replaceAll(/[1,]/g, '') && `stride ${o.stride}`,
    o.dilation > 1 && `dilation ${o.dilation}`,
    separable && 'separable',
  ].filter(Boolean);
  return [inputShape.join('×'), 'by', weightShape.join('×'), ...extra].join(' ');
}

function values(count) {
  return Float32Array.from({ length: count }, () => randomValue() * 2 - 1);
}

/** A column times a row for every kernel. */
function separableValues([count, , height, width]) {
  const data = new Float32Array(count * height * width);
  for (let o = 0; o < count; o++) {
    const [column, row] = [values(height), values(width)];
    for (let i = 0; i < height * width; i++)
      data[o * height * width + i] = column[Math.floor(i / width)] * row[i % width];
  }
  return data;
}

/** Whether 'auto' may take Winograd's tiles; in JavaScript they are float64's. */
function isAccurate({ inputShape, options: { groups = 1 } }) {
  return backend === 'js' || winograd.isAccurate({ inChannels: inputShape[1], groups });
}

function measure(geometry) {
  const { inputShape, weightShape, separable } = geometry;
  const x = tensor(values(product(inputShape)), inputShape);
  const data = separable ? separableValues(weightShape) : values(product(weightShape));
  const w = tensor(data, weightShape);
  const { chosen, costs, reason } = explainConv(inputShape, w, geometry.options);
  const names = costs
    .map(({ algorithm }) => algorithm)
    .filter((name) => name !== 'dense-toeplitz' && (name !== 'winograd' || isAccurate(geometry)));
  const contenders = [...new Set(['im2col', ...names])].map((algorithm) => {
    const prepared = prepareConv(w, { ...geometry.options, algorithm, inputShape });
    return { algorithm, prepared, best: Number.POSITIVE_INFINITY };
  });
  // All write to one place: an array of their own would be luck again.
  const out = contenders[0].prepared.run(x);
  const expected = out.data.slice();
  for (const { algorithm, prepared } of contenders)
    verify(geometry, algorithm, prepared.run(x, out).data, expected);
  for (let round = 0; round < ROUNDS; round++) {
    const fastest = Math.min(...contenders.map(({ best }) => best));
    for (const contender of contenders) {
      if (round > 1 && contender.best > HOPELESS * fastest) continue;
      contender.best = Math.min(
        contender.best,
        time(() => contender.prepared.run(x, out)),
      );
    }
  }
  const mine = contenders.find(({ algorithm }) => algorithm === chosen);
  const winner = contenders.reduce((a, b) => (b.best < a.best ? b : a));
  if (mine.best > winner.best * (1 + DOUBTFUL)) {
    const pair = [mine, winner];
    for (const contender of pair) contender.best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < FINAL_ROUNDS; round++) {
      for (const contender of pair) {
        contender.best = Math.min(
          contender.best,
          time(() => contender.prepared.run(x, out)),
        );
      }
    }
  }
  for (const { prepared } of contenders) prepared.dispose();
  const times = Object.fromEntries(contenders.map(({ algorithm, best }) => [algorithm, best]));
  const lost = Math.max(0, mine.best - winner.best);
  return {
    geometry,
    chosen,
    reason,
    times,
    fastest: lost > 0 ? winner.algorithm : chosen,
    raw: lost / winner.best,
    regret: lost > CALL_NOISE_MS ? lost / winner.best : 0,
  };
}

/** This process's own milliseconds: what else a busy machine runs meanwhile does not count. */
function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds of the fastest batch of runs. */
function time(run) {
  const once = (count) => {
    const start = processorTime();
    for (let i = 0; i < count; i++) run();
    return (processorTime() - start) / count;
  };
  const first = once(1);
  if (first > TIMED_MS) return first;
  // The clock ticks in microseconds.
  const batch = Math.max(1, Math.ceil(BATCH_MS / Math.max(once(1), 1e-4)));
  let best = once(batch);
  const until = performance.now() + TIMED_MS / ROUNDS;
  do best = Math.min(best, once(batch));
  while (performance.now() < until);
  return best;
}

function verify(geometry, algorithm, actual, expected) {
  let largest = 0;
  for (const value of expected) largest = Math.max(largest, Math.abs(value));
  for (let i = 0; i < expected.length; i++) {
    if (!(Math.abs(actual[i] - expected[i]) <= 1e-4 * largest))
      throw new Error(`${nameOf(geometry)}: ${algorithm} gives ${actual[i]} at ${i}, not ${expected[i]}`);
  }
}

function regret95(all) {
  const sorted = all.map(({ regret }) => regret).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(0.95 * sorted.length))];
}

function report(all) {
  const percent = (value) => `${(100 * value).toFixed(1)} %`;
  const spread = (regrets) => {
    const sorted = regrets.sort((a, b) => a - b);
    const at = (share) => percent(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
    return `median ${at(0.5)}, 90th percentile ${at(0.9)}, 95th ${at(0.95)}, most ${at(1)}`;
  };
  console.log(
    `${all.length} geometries on ${isa ?? backend}: regret ${spread(all.map(({ regret }) => regret))}`,
  );
  console.log(`  ${1e6 * CALL_NOISE_MS} ns or less counted, too: ${spread(all.map(({ raw }) => raw))}`);
  const confusion = new Map();
  for (const { chosen, fastest, regret } of all) {
    if (regret < 0.05) continue;
    const key = `${chosen} instead of ${fastest}`;
    confusion.set(key, (confusion.get(key) ?? 0) + 1);
  }
  console.log('\nmore than 5 % lost:');
  for (const [key, count] of [...confusion].sort((a, b) => b[1] - a[1])) console.log(`  ${count} × ${key}`);
  console.log('\nworst:');
  const worst = [...all].sort((a, b) => b.regret - a.regret).slice(0, Number(options.worst));
  for (const { geometry, chosen, times, regret } of worst) {
    const list = Object.entries(times)
      .sort((a, b) => a[1] - b[1])
      .map(([name, ms]) => `${name}${name === chosen ? '*' : ''} ${ms.toPrecision(3)}`);
    console.log(`  ${percent(regret).padStart(8)}  ${nameOf(geometry)}: ${list.join(', ')}`);
  }
}
