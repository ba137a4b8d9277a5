// Fits the constants of lib/plan/model/times.ts to what choose.bench.mjs measured, and prints them with the regret they give.
//
//   node bench/choose.bench.mjs --seed 1 --count 300 --json one.json      (and other seeds)
//   node bench/fit.mjs one.json two.json …
//
// Coordinate descent from today's constants: each is scaled up and down by a step that shrinks. What is least is the
// squared logarithm of predicted over measured time, of algorithms that are nearly the fastest above all, and the regret.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { separable: separableAlgorithm } = require('../dist/plan/algorithms/separable.js');
const { choose } = require('../dist/plan/choice.js');
const { TIMES } = require('../dist/plan/model/times.js');
const { TUNING } = require('../dist/plan/model/tuning.js');
const { Workload } = require('../dist/plan/model/workload.js');
const { planForward } = require('../dist/conv/operands.js');

/** Slower than the fastest by this factor an algorithm is never taken, whatever its prediction. */
const HOPELESS = 6;
/** Beyond this logarithm an error counts in proportion: an outlier is not what the model is for. */
const OUTLIER = 0.4;
/** A difference that is the call's: choose.bench.mjs. */
const CALL_NOISE_MS = 2e-4;
const REGRET_WEIGHT = 2;
const MOST_REGRET = 3;
const LEAST_STEP = 1.02;
const LEAST_CONSTANT = 0.01;

const measured = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const isas = new Set(measured.map(({ isa }) => isa));
if (isas.size !== 1) throw new Error('expected the results of one instruction set');
const [isa] = isas;
const samples = measured.flatMap(({ results }) => results).map(sampleOf);

/** A geometry by every algorithm that was timed and is not hopeless: the plan, what part of the constants is its own, milliseconds. */
function sampleOf({ geometry: { inputShape, weightShape, options, separable = false }, times }) {
  const least = Math.min(...Object.values(times));
  const ways = Object.keys(times)
    .filter((name) => times[name] <= HOPELESS * least)
    .map((name) => {
      const manner = { algorithm: name, accuracy: 'fast', density: 1, separable };
      const rank = weightShape.length - 2;
      const { plan } = planForward('forward', 'float32', rank, inputShape, weightShape, options, manner);
      const { algorithm } = choose(plan, manner, { isa, threads: 1 });
      const ms = times[name];
      return {
        algorithm,
        manner,
        geometry: plan,
        room: algorithm === separableAlgorithm ? 'separable' : name,
        ms,
        weight: ms < 1.5 * least ? 2 : ms < 3 * least ? 1 : 0.4,
      };
    });
  return { ways, least };
}

/** Predictions are kept with the samples: a change of one algorithm's constants leaves the others' alone. */
function predict(constants, room) {
  for (const { ways } of samples) {
    for (const way of ways) {
      if (room !== 'core' && room !== way.room) continue;
      const work = new Workload(way.geometry, TUNING[isa], constants);
      way.expected = way.algorithm.time(work, way.manner, 1) / 1e6;
    }
  }
}

function regretOf({ ways, least }) {
  const taken = ways.reduce((a, b) => (b.expected < a.expected ? b : a));
  return taken.ms - least > CALL_NOISE_MS ? taken.ms / least - 1 : 0;
}

function lossNow() {
  let sum = 0;
  for (const sample of samples) {
    for (const { expected, ms, weight } of sample.ways) {
      const error = Math.abs(Math.log(expected / ms));
      sum += weight * (error < OUTLIER ? error ** 2 : OUTLIER * (2 * error - OUTLIER));
    }
    sum += REGRET_WEIGHT * Math.min(regretOf(sample), MOST_REGRET);
  }
  return sum;
}

/** Every constant, as a place to read and to write: nanoseconds, by what is timed. */
function placesOf(rooms) {
  return Object.entries(rooms).flatMap(([name, room]) => Object.keys(room).map((key) => [name, room, key]));
}

const constants = structuredClone(TIMES[isa]);
const places = placesOf(constants);
predict(constants, 'core');
const before = samples.map(regretOf);
let loss = lossNow();
for (let step = 1.6; step > LEAST_STEP; ) {
  let hasImproved = false;
  for (const [name, room, key] of places) {
    for (const factor of [step, 1 / step]) {
      const value = room[key];
      if (value * factor < LEAST_CONSTANT) continue;
      room[key] = value * factor;
      predict(constants, name);
      const now = lossNow();
      if (now < loss - 1e-4) {
        loss = now;
        hasImproved = true;
      } else {
        room[key] = value;
        predict(constants, name);
      }
    }
  }
  if (!hasImproved) step = 1 + 0.6 * (step - 1);
}
for (const [, room, key] of places) room[key] = Number(room[key].toPrecision(3));
predict(constants, 'core');

const percentiles = (all) => {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share) =>
    `${(100 * sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]).toFixed(1)} %`;
  return `median ${at(0.5)}, 90th percentile ${at(0.9)}, 95th ${at(0.95)}`;
};
console.log(`${isa}, ${samples.length} geometries: regret before: ${percentiles(before)}`);
console.log(`                 after:  ${percentiles(samples.map(regretOf))}`);
console.log(JSON.stringify(constants, null, 2));
