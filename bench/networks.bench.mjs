// Whole networks, convmat against onnxruntime: verified first, then in turns in one process.
//
//   node bench/networks.bench.mjs [--threads=1,2] [--seconds=3] [--clock=wall|cpu] [--topologies=folder] [--layers] [--alone]
//                                 [--web] [name…]
//
// Prints the table and writes it, and a chart, to bench/results/networks.{md,svg}. --layers adds, for each kind of layer, our
// steps against onnxruntime's own profile of the nodes that they do the work of. --alone adds a table of what each library
// takes to the first result, and of memory, in a process of its own. --clock=cpu counts what a busy machine would hide: the
// processor's time of the whole process, which for one thread is the call's. --web races onnxruntime-web, on WebAssembly with
// one thread, as CONVMAT_BACKEND=wasm has it; its results are networks-web.{md,svg}.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { networks } from './networks/models.mjs';
import { stream } from './random.mjs';
import { clockOf, figures } from './timing.mjs';

const require = createRequire(import.meta.url);
const dist = join(import.meta.dirname, '../dist');
const { setNumThreads, Tensor } = require(join(dist, 'index.js'));
const { prepareNetwork } = require(join(dist, 'onnx/index.js'));

const { values: options, positionals: wanted } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' },
    seconds: { type: 'string', default: '3' },
    clock: { type: 'string', default: 'wall' },
    topologies: { type: 'string' },
    layers: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    web: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
if (options.web && (options.threads !== '1' || options.layers || options.alone))
  throw new Error('--web: expected --threads=1 without --layers and --alone');
const PEER = options.web ? 'onnxruntime-web' : 'onnxruntime';
const ort = options.web ? (await import('onnxruntime-web')).default : await import('onnxruntime-node');
if (options.web) ort.env.wasm.numThreads = 1;
const now = clockOf(options.clock);
// A first call plans, packs, or fills caches.
const WARM_UP = 2;
const LEAST_ROUNDS = 5;
/** Of the largest difference to the RMS of an output: what separates another rounding from another function. */
const MOST_DIFFERENCE = 0.05;
/** Outputs below this are the tails of functions that each library rounds to 0 where it likes. */
const LEAST_RMS = 1e-4;

function difference(expected, got) {
  let [worst, squares] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(expected[i] - got[i]));
    squares += expected[i] ** 2;
  }
  return worst / Math.max(LEAST_RMS, Math.sqrt(squares / expected.length));
}

const sessionOptions = (threads) => ({
  ...(options.web && { executionProviders: ['wasm'] }),
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
});

async function race(name, { read, shape }, threads) {
  setNumThreads(threads);
  const bytes = read();
  const next = stream(7);
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * next() - 1);

  let begin = now();
  const session = await ort.InferenceSession.create(bytes, sessionOptions(threads));
  const [input] = session.inputNames;
  const feeds = { [input]: new ort.Tensor('float32', data, shape) };
  const expected = await session.run(feeds);
  const theirFirst = now() - begin;

  begin = now();
  const network = await prepareNetwork(bytes, { inputShapes: { [input]: shape } });
  const own = { [input]: new Tensor(data, shape) };
  const got = network.run(own);
  const ourFirst = now() - begin;

  const worst = Math.max(
    ...session.outputNames.map((output) => difference(expected[output].data, got[output].data)),
  );
  const [ours, theirs] = [[], []];
  const end = performance.now() + 1000 * Number(options.seconds);
  for (let round = 0; round < LEAST_ROUNDS + WARM_UP || performance.now() < end; round++) {
    let start = now();
    await session.run(feeds);
    const between = now();
    theirs.push(between - start);
    start = now();
    network.run(own);
    ours.push(now() - start);
  }
  const row = {
    name,
    threads,
    ours: figures(ours.slice(WARM_UP)),
    theirs: figures(theirs.slice(WARM_UP)),
    first: theirFirst / ourFirst,
    worst,
    isRight: worst <= MOST_DIFFERENCE,
    peak: network.explain().peakBytes,
  };
  const layers = options.layers ? await layersOf(bytes, feeds, network, own, threads) : [];
  network.dispose();
  await session.release();
  return { row, layers };
}

// ───────────────────────────── layer by layer ─────────────────────────────

const LAYER_ROUNDS = 15;

/** What a step's label begins with. */
const kindOf = (step) => step.split(' + ')[0];

/** Per kind of step: our milliseconds, and theirs for all nodes of the same kinds, reorders apart. */
async function layersOf(bytes, feeds, network, own, threads) {
  // The least time of each step, as of each of their nodes.
  const steps = network.profile(own).steps.map(({ step, ms }) => ({ kind: kindOf(step), ms }));
  for (let round = 1; round < LAYER_ROUNDS; round++) {
    for (const [i, { ms }] of network.profile(own).steps.entries()) steps[i].ms = Math.min(steps[i].ms, ms);
  }
  const least = new Map();
  for (const { kind, ms } of steps) least.set(kind, (least.get(kind) ?? 0) + ms);
  const theirs = await profileOf(bytes, feeds, threads);
  const kinds = [...new Set([...least.keys(), ...theirs.keys()])];
  return kinds.map((kind) => ({ kind, ours: least.get(kind) ?? 0, theirs: theirs.get(kind) ?? 0 }));
}

async function profileOf(bytes, feeds, threads) {
  const folder = mkdtempSync(join(tmpdir(), 'convmat-bench-'));
  const profiling = { enableProfiling: true, profileFilePrefix: join(folder, 'ort') };
  const session = await ort.InferenceSession.create(bytes, { ...sessionOptions(threads), ...profiling });
  for (let round = 0; round < LAYER_ROUNDS; round++) await session.run(feeds);
  session.endProfiling();
  await session.release();
  const [file] = readdirSync(folder);
  const events = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  rmSync(folder, { recursive: true });
  const byNode = new Map();
  for (const { cat, name, dur, args } of events) {
    if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue;
    const known = byNode.get(name);
    byNode.set(name, { kind: args.op_name, us: Math.min(dur, known?.us ?? Infinity) });
  }
  const sums = new Map();
  for (const { kind, us } of byNode.values()) sums.set(kind, (sums.get(kind) ?? 0) + us / 1000);
  return sums;
}

// ───────────────────────────── each in a process of its own ─────────────────────────────

const PROCESSES = 3;

/** The least time to the first result and the least peak of memory of some processes, for each library. */
function alone({ read, shape }, threads) {
  const folder = mkdtempSync(join(tmpdir(), 'convmat-bench-'));
  const file = join(folder, 'model.onnx');
  writeFileSync(file, read());
  const least = { convmat: [], onnxruntime: [] };
  for (let round = 0; round < PROCESSES; round++) {
    for (const library of Object.keys(least)) {
      const script = join(import.meta.dirname, 'networks/alone.mjs');
      const args = [script, library, file, JSON.stringify(shape), String(threads), options.clock];
      least[library].push(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })));
    }
  }
  rmSync(folder, { recursive: true });
  const of = (key) =>
    Object.fromEntries(
      Object.entries(least).map(([name, all]) => [name, Math.min(...all.map((one) => one[key]))]),
    );
  return { ms: of('ms'), bytes: of('bytes') };
}

function aloneText(results) {
  const header = [
    'network',
    'threads',
    'onnxruntime ms',
    'convmat ms',
    'ratio',
    'onnxruntime MB',
    'convmat MB',
    'share',
  ];
  const cells = results.map(({ name, threads, ms, bytes }) => [
    name,
    threads,
    number(ms.onnxruntime),
    number(ms.convmat),
    number(ms.onnxruntime / ms.convmat),
    number(bytes.onnxruntime / 1e6),
    number(bytes.convmat / 1e6),
    number(bytes.convmat / bytes.onnxruntime),
  ]);
  return [
    'From a file to the first result, in a process of its own; memory beside the loaded library.',
    table(header, cells),
  ];
}

// ───────────────────────────── what is written ─────────────────────────────

const number = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const table = (header, rows) =>
  [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

function textOf(rows, layers, processes) {
  const header = [
    'network',
    'threads',
    `${PEER} ms`,
    'convmat ms',
    'ratio (min)',
    'ratio (median)',
    'first result',
    'largest difference',
    'peak MB',
  ];
  const cells = rows.map((r) => [
    r.name,
    r.threads,
    `${number(r.theirs.min)} (${number(r.theirs.median)})`,
    `${number(r.ours.min)} (${number(r.ours.median)})`,
    r.isRight ? number(r.theirs.min / r.ours.min) : 'wrong',
    r.isRight ? number(r.theirs.median / r.ours.median) : 'wrong',
    number(r.first),
    r.worst.toExponential(1),
    number(r.peak / 1e6),
  ]);
  const parts = [
    'Minima, medians in parentheses; ratios above 1: convmat is faster. «First result» compares reading, preparing and one run.',
    table(header, cells),
  ];
  for (const threads of new Set(rows.map((r) => r.threads))) {
    const own = rows.filter((r) => r.threads === threads && r.isRight);
    const mean = Math.exp(own.reduce((sum, r) => sum + Math.log(r.theirs.min / r.ours.min), 0) / own.length);
    parts.push(
      `Geometric mean of the minima's ratios, ${threads} thread${threads > 1 ? 's' : ''}: ${number(mean)}`,
    );
  }
  for (const { name, kinds } of layers) {
    const body = kinds
      .sort((a, b) => b.ours + b.theirs - a.ours - a.theirs)
      .map(({ kind, ours, theirs }) => [kind, number(theirs), number(ours)]);
    parts.push(
      `${name}, one thread, ms by kind of layer`,
      table(['kind', 'onnxruntime', 'convmat, with what is fused'], body),
    );
  }
  if (processes.length > 0) parts.push(...aloneText(processes));
  return `${parts.join('\n\n')}\n`;
}

/** Bars of the ratios, with a line where both are as fast. */
function chartOf(rows) {
  const [left, line, unit] = [160, 22, 110];
  const shown = rows.filter((r) => r.isRight);
  const longest = Math.max(1, ...shown.map((r) => r.theirs.min / r.ours.min));
  const [width, height] = [left + unit * longest + 60, line * shown.length + 40];
  const bars = shown.map((r, i) => {
    const ratio = r.theirs.min / r.ours.min;
    const y = 24 + i * line;
    const fill = r.threads === 1 ? '#3b6ea8' : '#8fb3d9';
    return `<text x="${left - 8}" y="${y + 12}" text-anchor="end">${r.name}, ${r.threads}</text><rect x="${left}" y="${y}" width="${(unit * ratio).toFixed(1)}" height="${line - 6}" fill="${fill}"/><text x="${(left + unit * ratio + 4).toFixed(1)}" y="${y + 12}">${number(ratio)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${height}" font-family="sans-serif" font-size="12"><text x="${left}" y="14">times faster than ${PEER}, by threads</text>${bars.join('')}<path d="M${left + unit} 20V${height - 8}" stroke="#000" stroke-dasharray="3 3"/></svg>\n`;
}

const all = networks(options.topologies ?? null);
const names = wanted.length > 0 ? wanted : Object.keys(all);
const unknown = names.filter((name) => !(name in all));
if (unknown.length > 0) throw new Error(`no network ${unknown.join(', ')}: ${Object.keys(all).join(', ')}`);
const [rows, layers, processes] = [[], [], []];
for (const threads of options.threads.split(',').map(Number)) {
  for (const name of names) {
    const result = await race(name, all[name], threads);
    rows.push(result.row);
    if (result.layers.length > 0 && threads === 1) layers.push({ name, kinds: result.layers });
    if (options.alone) processes.push({ name, threads, ...alone(all[name], threads) });
    const { ours, theirs } = result.row;
    console.error(
      `${name}, ${threads}: ${number(theirs.min)} / ${number(ours.min)} = ${number(theirs.min / ours.min)}`,
    );
  }
}
const RESULTS = options.web ? 'networks-web' : 'networks';
const text = textOf(rows, layers, processes);
console.log(text);
writeFileSync(join(import.meta.dirname, `results/${RESULTS}.md`), text);
writeFileSync(join(import.meta.dirname, `results/${RESULTS}.svg`), chartOf(rows));
