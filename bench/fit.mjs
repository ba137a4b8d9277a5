// Fits the nanoseconds of lib/plan/model/fitted.ts to what choose.bench.mjs measures, and writes them there with where
// they come from and what errors are left.
//
//   npm run bench:fit -- [avx512 avx2 generic wasm js] [--seeds 1,2] [--count 200] [--seconds 120] [--kept]
//
// Without names, every instruction set of this machine and JavaScript; by Node.js 22, those of WebAssembly all. Each seed is measured for so many seconds at most,
// in a process of its own; the samples stay in bench/results/choice, and --kept fits to those that are there.
//
// Coordinate descent from today's constants: each is scaled up and down by a step that shrinks. What is least is the
// squared logarithm of predicted over measured time, of algorithms that are nearly the fastest above all, and the regret.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import binaries from '../dist/backend/native/binaries.cjs';
import { loadAddon } from '../dist/backend/native/loader.js';
import { loadWasm, presentIsas } from '../dist/backend/wasm/loader.js';
import { product } from '../dist/numbers.js';
import { jsFftTimes } from '../dist/plan/algorithms/js/fft.js';
import { jsWinogradTimes } from '../dist/plan/algorithms/js/winograd.js';
import { separable as separableAlgorithm } from '../dist/plan/algorithms/separable.js';
import { choose } from '../dist/plan/choice.js';
import { ISAS, TIMED_AS } from '../dist/plan/isa-list.js';
import { FITTED } from '../dist/plan/model/fitted.js';
import { Workload } from '../dist/plan/model/workload.js';
import { forwardAxes, readBatchShape, readWindow } from '../dist/plan/options/window.js';
import { convRequest, planConv } from '../dist/plan/plans/conv.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '1,2' },
    count: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '120' },
    kept: { type: 'boolean', default: false },
  },
});

/** Slower than the fastest by this factor an algorithm is never taken, whatever its prediction. */
const HOPELESS = 6;
/** Beyond this logarithm an error counts in proportion: an outlier is not what the model is for. */
const OUTLIER = 0.4;
/** A difference that is the call's: choose.bench.mjs. */
const CALL_NOISE_MS = 2e-4;
const REGRET_WEIGHT = 2;
const MOST_REGRET = 3;
/** What it costs to change a constant by a factor e: those that the samples say little about stay where they were. */
const INERTIA = 2;
const LEAST_STEP = 1.02;
const LEAST_CONSTANT = 0.01;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const FOLDER = here('results/choice');
const TARGET = here('../lib/plan/model/fitted.ts');
const { addon } = loadAddon();

function backendOf(isa) {
  if (isa === 'js') return 'js';
  return ISAS.wasm.includes(isa) ? 'wasm' : 'native';
}

function machineOf(isa) {
  if (isa === 'js') return { isa, threads: 1 };
  const loaded = backendOf(isa) === 'wasm' ? loadWasm(binaries.readWasm, isa).addon : addon;
  return { isa, threads: 1, tuning: loaded.tuning[isa] };
}

function git(...args) {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}

function measure(isa) {
  const env = { CONVMAT_BACKEND: backendOf(isa), ...(isa !== 'js' && { CONVMAT_ISA: isa }) };
  // Optimised from the first call on, not while it is measured.
  const flags = backendOf(isa) === 'wasm' ? ['--no-liftoff'] : [];
  mkdirSync(FOLDER, { recursive: true });
  const seeds = options.seeds.split(',').map(Number);
  const samples = seeds.flatMap((seed) => {
    const file = `${FOLDER}/${isa}.${seed}.tmp`;
    const args = [
      '--seed',
      `${seed}`,
      '--count',
      options.count,
      '--seconds',
      options.seconds,
      '--json',
      file,
    ];
    const program = here('choose.bench.mjs');
    execFileSync(process.execPath, [...flags, program, ...args], {
      env: { ...process.env, ...env },
      stdio: 'inherit',
    });
    const { results } = JSON.parse(readFileSync(file, 'utf8'));
    rmSync(file);
    return results.map(({ geometry, times }) => ({ ...geometry, times: rounded(times) }));
  });
  const origin = {
    cpu: cpus()[0].model,
    date: new Date().toISOString().slice(0, 10),
    commit: git('rev-parse', '--short', 'HEAD'),
    seeds,
  };
  const lines = samples.map((sample) => JSON.stringify(sample)).join(',\n');
  writeFileSync(`${FOLDER}/${isa}.json`, `{"origin":${JSON.stringify(origin)},"samples":[\n${lines}\n]}\n`);
  return { origin, samples };
}

function rounded(times) {
  return Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, Number(ms.toPrecision(4))]));
}

function fit(isa, { origin, samples }) {
  const machine = machineOf(isa);
  const before = fitted[isa] ?? FITTED[TIMED_AS[isa]];
  const { origin: _, ...constants } = structuredClone(before);
  const all = samples.map((sample) => sampleOf(machine, sample));
  const model = new Model(all, constants);
  const regretBefore = all.map(regretOf);
  model.fit();
  const errors = all.flatMap(({ ways }) => ways.map(({ expected, ms }) => Math.abs(Math.log(expected / ms))));
  const regret = all.map(regretOf);
  console.log(`${isa}, ${all.length} geometries: errors of the model ${spread(errors)}`);
  if (isa !== 'js') console.log(`  regret before ${spread(regretBefore)}, after ${spread(regret)}`);
  const residuals = { median: percentile(errors, 0.5), p90: percentile(errors, 0.9) };
  return {
    origin: {
      ...origin,
      geometries: all.length,
      residuals,
      ...(isa !== 'js' && { regret95: percentile(regret, 0.95) }),
    },
    ...constants,
  };
}

/** A geometry by every algorithm that was timed, is modelled and is not hopeless: milliseconds, and how they are predicted. */
function sampleOf(machine, { inputShape, weightShape, options: geometry, separable = false, times }) {
  const least = Math.min(...Object.values(times));
  const rank = weightShape.length - 2;
  const window = readWindow(geometry, weightShape.slice(2), rank);
  const { batch, channels, spatial } = readBatchShape(inputShape, rank, 'input');
  const axes = forwardAxes(window, spatial);
  const sizes = { batch, inChannels: channels, outChannels: weightShape[0], axes };
  const ways = Object.entries(times)
    .filter(([, ms]) => ms <= HOPELESS * least)
    .flatMap(([name, ms]) => {
      const manner = { algorithm: name, accuracy: 'fast', density: 1, separable };
      const plan = planConv(convRequest('forward', 'float32', window, sizes, manner), machine);
      const prediction = machine.isa === 'js' ? inJavaScript(name, plan) : natively(plan, manner, machine);
      if (prediction === null) return [];
      return [{ ...prediction, ms, weight: ms < 1.5 * least ? 2 : ms < 3 * least ? 1 : 0.4 }];
    });
  return { ways, least };
}

/** `room` is the part of the constants that the prediction asks, besides the core's. */
function natively(plan, manner, machine) {
  const { algorithm } = choose(plan, manner, machine);
  const predict = (constants) => algorithm.time(new Workload(plan, machine.tuning, constants), manner, 1);
  return { room: algorithm === separableAlgorithm ? 'separable' : algorithm.name, predict };
}

function inJavaScript(name, plan) {
  const planes = plan.batch * plan.outChannels;
  const isOfOneChannel = plan.inChannels === plan.groups;
  if (name === 'winograd')
    return { room: 'winograd', predict: ({ winograd }) => jsWinogradTimes(plan, winograd).byTiles };
  if (name === 'fft')
    return { room: 'linear', predict: ({ linear }) => planes * jsFftTimes(plan, linear).byTransforms };
  if (name === 'depthwise' && isOfOneChannel)
    return { room: 'linear', predict: ({ linear }) => planes * jsFftTimes(plan, linear).directly };
  if (name === 'im2col' && !isOfOneChannel) {
    const products = planes * product(plan.weightShape.slice(1)) * product(plan.axes.map((axis) => axis.out));
    return { room: 'winograd', predict: ({ winograd }) => products * winograd.product };
  }
  return null;
}

function regretOf({ ways, least }) {
  if (ways.length === 0) return 0;
  const taken = ways.reduce((a, b) => (b.expected < a.expected ? b : a));
  return taken.ms - least > CALL_NOISE_MS ? taken.ms / least - 1 : 0;
}

class Model {
  constructor(samples, constants) {
    this.samples = samples;
    this.constants = constants;
    this.before = structuredClone(constants);
    this.predict('core');
  }

  /** Predictions are kept with the samples: a change of one algorithm's constants leaves the others' alone. */
  predict(room) {
    for (const { ways } of this.samples) {
      for (const way of ways)
        if (room === 'core' || room === way.room) way.expected = way.predict(this.constants) / 1e6;
    }
  }

  loss() {
    let sum = 0;
    for (const [name, room] of Object.entries(this.constants))
      for (const key of Object.keys(room)) sum += INERTIA * Math.log(room[key] / this.before[name][key]) ** 2;
    for (const sample of this.samples) {
      for (const { expected, ms, weight } of sample.ways) {
        const error = Math.abs(Math.log(expected / ms));
        sum += weight * (error < OUTLIER ? error ** 2 : OUTLIER * (2 * error - OUTLIER));
      }
      sum += REGRET_WEIGHT * Math.min(regretOf(sample), MOST_REGRET);
    }
    return sum;
  }

  fit() {
    const places = Object.entries(this.constants).flatMap(([name, room]) =>
      Object.keys(room).map((key) => ({ name, room, key })),
    );
    let least = this.loss();
    const improves = ({ name, room, key }, factor) => {
      const value = room[key];
      if (value * factor < LEAST_CONSTANT) return false;
      room[key] = value * factor;
      this.predict(name);
      const now = this.loss();
      if (now < least - 1e-4) {
        least = now;
        return true;
      }
      room[key] = value;
      this.predict(name);
      return false;
    };
    for (let step = 1.6; step > LEAST_STEP; ) {
      let hasImproved = false;
      for (const place of places)
        for (const factor of [step, 1 / step]) hasImproved = improves(place, factor) || hasImproved;
      if (!hasImproved) step = 1 + 0.6 * (step - 1);
    }
    for (const { room, key } of places) room[key] = Number(room[key].toPrecision(3));
    this.predict('core');
  }
}

function percentile(all, share) {
  const sorted = [...all].sort((a, b) => a - b);
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toPrecision(3));
}

function spread(all) {
  const at = (share) => `${(100 * percentile(all, share)).toFixed(1)} %`;
  return `median ${at(0.5)}, 90th percentile ${at(0.9)}, 95th ${at(0.95)}`;
}

function write() {
  const head =
    '/** Written by `npm run bench:fit`, and by nothing else: nanoseconds of one core, and what they were fitted to. */';
  writeFileSync(TARGET, `${head}\nexport const FITTED = ${JSON.stringify(fitted, null, 2)};\n`);
  execFileSync('npx', ['biome', 'format', '--write', TARGET], { stdio: 'ignore' });
}

const fitted = structuredClone(FITTED);
const everyIsa = [...(addon?.isas ?? []), ...presentIsas(binaries.readWasm), 'js'];
for (const isa of positionals.length > 0 ? positionals : everyIsa) {
  const measured = options.kept ? JSON.parse(readFileSync(`${FOLDER}/${isa}.json`, 'utf8')) : measure(isa);
  fitted[isa] = fit(isa, measured);
  write();
}
