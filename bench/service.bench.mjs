// Fifty uploads at once: a JPEG decoded by sharp, blurred by a 19 × 19 Gaussian, encoded as PNG by sharp. The blur is convmat's,
// off the event loop, or sharp's own; everything else is the same. Interleaved in rounds; milliseconds for all fifty, and the
// longest turn of the event loop meanwhile in processor time; the processor time of each upload, on all threads.
//
//   npm run bench:service [-- --rounds 5 --uploads 50]
import { openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { figures } from './timing.mjs';

const require = createRequire(import.meta.url);
const sharp = require('sharp');
const { backendInfo, image, prepareConv, Tensor } = require('..');

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, uploads: { type: 'string', default: '50' } },
});
const [width, height, channels] = [640, 480, 3];
const SIGMA = 3;
const SIZE = 19;

/** One kernel for each colour. */
function blurOf() {
  const { data } = image.gaussian(SIGMA, SIZE);
  const weight = new Float32Array(channels * SIZE * SIZE);
  for (let c = 0; c < channels; c++) weight.set(data, c * SIZE * SIZE);
  return prepareConv(new Tensor(weight, [channels, 1, SIZE, SIZE]), {
    groups: channels,
    padding: 'same',
    paddingMode: 'reflect',
  });
}

const blur = blurOf();
const png = { compressionLevel: 1 };

async function byConvmat(upload) {
  const { data, info } = await sharp(upload).raw().toBuffer({ resolveWithObject: true });
  const result = await image.convolveAsync({ data, ...info }, blur);
  return sharp(result.data, { raw: info }).png(png).toBuffer();
}

function bySharp(upload) {
  return sharp(upload).blur(SIGMA).png(png).toBuffer();
}

// As in test/stress: a thread of a busy machine may wait for as long as it likes to be given a processor.
const schedule = process.platform === 'linux' ? openSync(`/proc/self/task/${process.pid}/schedstat`) : null;
const nobody = new Int32Array(new SharedArrayBuffer(4));
const line = Buffer.alloc(64);
function threadMs() {
  if (schedule === null) return performance.now();
  Atomics.wait(nobody, 0, 0, 0.02);
  return Number.parseInt(line.latin1Slice(0, readSync(schedule, line, 0, 64, 0)), 10) / 1e6;
}

/** All uploads at once: how long they take, and the longest turn. */
async function served(handle, uploads) {
  let running = true;
  let longest = 0;
  let last = threadMs();
  const tick = () => {
    const now = threadMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (running) setImmediate(tick);
  };
  const start = performance.now();
  const before = process.cpuUsage();
  const results = Promise.all(uploads.map(handle));
  setImmediate(tick);
  await results;
  running = false;
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - start, longest, processorMs: (user + system) / 1000 / uploads.length };
}

const noise = Uint8Array.from(
  { length: width * height * channels },
  (_, i) => 127 + 100 * Math.sin(i / 97) + (i % 29),
);
const upload = await sharp(noise, { raw: { width, height, channels } }).jpeg().toBuffer();
const contenders = { convmat: byConvmat, 'sharp.blur': bySharp };
// sharp's own blur sums integers over fewer taps, unless it is asked not to: as it does for this comparison alone.
const exact = sharp(upload).blur({ sigma: SIGMA, precision: 'float', minAmplitude: 0.01 });
const [own, peer] = await Promise.all([
  sharp(await byConvmat(upload))
    .raw()
    .toBuffer(),
  exact.raw().toBuffer(),
]);
const apart = own.reduce((sum, value, i) => sum + Math.abs(value - peer[i]), 0) / own.length;
if (!(apart < 1)) throw new Error(`blurred pixels differ by ${apart} on average`);

const uploads = Array(Number(options.uploads)).fill(upload);
const samples = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (let round = 0; round <= Number(options.rounds); round++) {
  for (const [name, handle] of Object.entries(contenders)) {
    const sample = await served(handle, uploads);
    if (round > 0) samples[name].push(sample);
  }
}
const { isa, threads } = backendInfo();
console.log(
  `convmat on ${isa}, ${threads} thread(s); ${uploads.length} uploads of ${width} × ${height} at once\n`,
);
console.log(
  '| blur | ms: median (minimum) | ratio to convmat | longest turn, ms | processor, ms an upload |\n| --- | --- | --- | --- | --- |',
);
const mine = figures(samples.convmat.map(({ ms }) => ms));
for (const [name, found] of Object.entries(samples)) {
  const { median, min } = figures(found.map(({ ms }) => ms));
  const ratio = `${(median / mine.median).toFixed(2)} (${(min / mine.min).toFixed(2)})`;
  const longest = Math.min(...found.map((sample) => sample.longest)).toFixed(1);
  const processor = Math.min(...found.map((sample) => sample.processorMs)).toFixed(1);
  console.log(
    `| ${name} | ${median.toFixed(0)} (${min.toFixed(0)}) | ${ratio} | ${longest} | ${processor} |`,
  );
}
blur.dispose();
