/**
 * Mixed calls for a long time, in one process: does it grow? argv: how many calls, seed. Needs --expose-gc. Prints the
 * resident memory's trend after a warm-up, in bytes for each thousand calls, with its standard error, and what is left of
 * external memory and handles once everything is disposed of and collected.
 */
const { join } = require('node:path');
const dist = join(__dirname, '../../dist');
const { makeMix } = require('./mix.cjs');
const { addon } = require(join(dist, 'backend/native/loader.js')).loadAddon();

const [calls, seed] = process.argv.slice(2).map(Number);
const SAMPLES = 100;
const WARM_UP = 0.3;
const mix = makeMix(seed);

async function settle() {
  for (let i = 0; i < 4; i++) {
    global.gc();
    await new Promise((resolve) => setImmediate(resolve)); // finalizers run later than the collection
  }
}

const external = () => addon?.externalBytes() ?? 0;
const handles = () => process.getActiveResourcesInfo().length;

async function run(count) {
  let flying = [];
  for (let i = 0; i < count; i++) {
    const result = mix.any();
    if (result instanceof Promise) flying.push(result);
    if (flying.length === 32) {
      await Promise.all(flying);
      flying = [];
    }
  }
  await Promise.all(flying);
  await settle();
}

async function main() {
  const samples = [];
  // What the first calls leave for good: caches of plans, matrices that keep their transposes.
  await run(3000);
  const before = { external: external(), handles: handles() };
  for (let sample = 0; sample < SAMPLES; sample++) {
    await run(calls / SAMPLES);
    samples.push({ calls: ((sample + 1) * calls) / SAMPLES / 1000, rss: process.memoryUsage.rss() });
  }
  mix.dispose();
  await settle();
  const { slope, error } = trend(samples.slice(SAMPLES * WARM_UP));
  console.log(
    JSON.stringify({
      calls,
      slopeBytes: slope,
      slopeError: error,
      firstRss: samples[SAMPLES * WARM_UP].rss,
      lastRss: samples.at(-1).rss,
      external: external() - before.external,
      handles: handles() - before.handles,
    }),
  );
}

/** The slope of a least-squares line, and its standard error. */
function trend(points) {
  const n = points.length;
  const mean = (key) => points.reduce((sum, point) => sum + point[key], 0) / n;
  const [meanX, meanY] = [mean('calls'), mean('rss')];
  let [xx, xy] = [0, 0];
  for (const { calls: at, rss } of points) {
    xx += (at - meanX) ** 2;
    xy += (at - meanX) * (rss - meanY);
  }
  const slope = xy / xx;
  const residuals = points.reduce(
    (sum, { calls: at, rss }) => sum + (rss - meanY - slope * (at - meanX)) ** 2,
    0,
  );
  return { slope, error: Math.sqrt(residuals / (n - 2) / xx) };
}
main();
