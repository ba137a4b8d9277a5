// Fits the constants of lib/plan/time.ts to what choose.bench.mjs measured, and prints them with the regret they give.
//
//   node bench/choose.bench.mjs --seed 1 --count 300 --json one.json      (and other seeds)
//   node bench/fit.mjs one.json two.json …
//
// Coordinate descent from today's constants: each is scaled up and down by a step that shrinks. What is least is the
// squared logarithm of predicted over measured time, of algorithms that are nearly the fastest above all, and the regret.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { TIMES, timeOf } = require('../dist/plan/time.js');
const { planForward } = require('../dist/conv/operands.js');

/** Slower than the fastest by this factor an algorithm is never taken, whatever its prediction. */
const HOPELESS = 6;
/** Beyond this logarithm an error counts in proportion: an outlier is not what the model is for. */
const OUTLIER = 0.4;
const REGRET_WEIGHT = 2;
const MOST_REGRET = 3;
const LEAST_STEP = 1.02;
const LEAST_CONSTANT = 0.01;

const measured = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const isas = new Set(measured.map(({ isa }) => isa));
if (isas.size !== 1) throw new Error('expected the results of one instruction set');
const [isa] = isas;
const samples = measured.flatMap(({ results }) => results).map(sampleOf);

/** A geometry's plans by every algorithm that was timed, with the times in milliseconds. */
function sampleOf({ geometry: { inputShape, weightShape, options, separable = false }, times }) {
  const plans = Object.keys(times).map((algorithm) => {
    const manner = { algorithm, accuracy: 'fast', density: 1, separable };
    const rank = weightShape.length - 2;
    const { plan } = planForward('forward', 'float32', rank, inputShape, weightShape, options, manner);
    return { plan, ms: times[algorithm] };
  });
  return { plans, least: Math.min(...Object.values(times)) };
}

function predict({ algorithm, variant, ...geometry }, constants) {
  return timeOf(algorithm, variant, geometry, 1, constants) / 1e6;
}

function errorOf(constants) {
  let sum = 0;
  for (const { plans, least } of samples) {
    for (const { plan, ms } of plans) {
      if (ms > HOPELESS * least) continue;
      const error = Math.abs(Math.log(predict(plan, constants) / ms));
      const weight = ms < 1.5 * least ? 2 : ms < 3 * least ? 1 : 0.4;
      sum += weight * (error < OUTLIER ? error ** 2 : OUTLIER * (2 * error - OUTLIER));
    }
  }
  return sum;
}

function regretsOf(constants) {
  return samples.map(({ plans, least }) => {
    const expected = plans.map(({ plan }) => predict(plan, constants));
    return plans[expected.indexOf(Math.min(...expected))].ms / least - 1;
  });
}

function lossOf(constants) {
  const regret = regretsOf(constants).reduce((sum, value) => sum + Math.min(value, MOST_REGRET), 0);
  return errorOf(constants) + REGRET_WEIGHT * regret;
}

/** Every constant, as a place to read and to write; `lanes` is no constant to fit. */
function placesOf(constants) {
  return Object.entries(constants).flatMap(([name, value]) => {
    if (typeof value === 'object') return Object.keys(value).map((key) => [value, key]);
    return name === 'lanes' ? [] : [[constants, name]];
  });
}

const constants = structuredClone(TIMES[isa]);
const places = placesOf(constants);
let loss = lossOf(constants);
for (let step = 1.5; step > LEAST_STEP; ) {
  let hasImproved = false;
  for (const [room, key] of places) {
    for (const factor of [step, 1 / step]) {
      const before = room[key];
      if (before * factor < LEAST_CONSTANT) continue;
      room[key] = before * factor;
      const now = lossOf(constants);
      if (now < loss - 1e-6) {
        loss = now;
        hasImproved = true;
      } else room[key] = before;
    }
  }
  if (!hasImproved) step = 1 + 0.7 * (step - 1);
}
for (const [room, key] of places) room[key] = Number(room[key].toPrecision(3));

const percentiles = (all) => {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share) =>
    `${(100 * sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]).toFixed(1)} %`;
  return `median ${at(0.5)}, 90th percentile ${at(0.9)}, 95th ${at(0.95)}`;
};
console.log(`${isa}, ${samples.length} geometries: regret before: ${percentiles(regretsOf(TIMES[isa]))}`);
console.log(`                 after:  ${percentiles(regretsOf(constants))}`);
console.log(JSON.stringify(constants, null, 2));
