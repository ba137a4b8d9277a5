// Pixels to planes and back, 1920 × 1080 RGB: beside two plain loops in JavaScript, and beside sharp's own way from raw pixels
// to raw pixels. One thread, interleaved in rounds, results compared first. Milliseconds of both ways together.
//
//   npm run bench:pixels [-- --rounds 15]
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { figures } from './timing.mjs';

process.env.CONVMAT_NUM_THREADS ??= '1';
const require = createRequire(import.meta.url);
const sharp = require('sharp');
const { backendInfo, image, Tensor } = require('..');

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
const [width, height, channels] = [1920, 1080, 3];
const plane = width * height;
const data = Uint8Array.from({ length: plane * channels }, (_, i) => (i * 7919) >> 3);
const pixels = { data, width, height, channels };

function byLoops() {
  const planes = new Float32Array(plane * channels);
  for (let i = 0; i < plane; i++)
    for (let c = 0; c < channels; c++) planes[c * plane + i] = data[i * channels + c] / 255;
  const back = new Uint8Array(plane * channels);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < channels; c++)
      back[i * channels + c] = Math.min(255, Math.max(0, Math.round(planes[c * plane + i] * 255)));
  }
  return back;
}

function byConvmat() {
  return image.toPixels(image.fromPixels(pixels, { scale: 1 / 255 }), { scale: 255 }).data;
}

const planes = new Tensor(new Float32Array(plane * channels), [channels, height, width]);
const frame = new Uint8Array(plane * channels);
function intoArrays() {
  image.fromPixels(pixels, { scale: 1 / 255, out: planes });
  return image.toPixels(planes, { scale: 255, out: frame }).data;
}

function bySharp() {
  return sharp(data, { raw: { width, height, channels } }).raw().toBuffer();
}

sharp.concurrency(1);
const contenders = {
  convmat: byConvmat,
  'convmat, into out': intoArrays,
  'JavaScript loops': byLoops,
  'sharp, raw to raw': bySharp,
};
for (const [name, run] of Object.entries(contenders)) {
  if (Buffer.compare(Buffer.from(await run()), Buffer.from(data)) !== 0)
    throw new Error(`${name}: other pixels`);
}
const samples = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (let round = 0; round < Number(options.rounds); round++) {
  for (const [name, run] of Object.entries(contenders)) {
    const start = performance.now();
    await run();
    samples[name].push(performance.now() - start);
  }
}
const { isa, threads } = backendInfo();
console.log(`convmat on ${isa}, ${threads} thread(s); ${width} × ${height}, RGB, both ways\n`);
console.log('| contender | ms: median (minimum) | ratio to convmat |\n| --- | --- | --- |');
const own = figures(samples.convmat);
for (const [name, times] of Object.entries(samples)) {
  const { median, min } = figures(times);
  const ratio = `${(median / own.median).toFixed(2)} (${(min / own.min).toFixed(2)})`;
  console.log(`| ${name} | ${median.toFixed(2)} (${min.toFixed(2)}) | ${ratio} |`);
}
