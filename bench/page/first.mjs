/** The first thing that a page computes: a convolution of 64 × 64 pixels, and when it was there. */
import { backendInfo, conv2d, tensor } from 'convmat';

const image = tensor(new Float32Array(3 * 64 * 64).fill(0.5), [1, 3, 64, 64]);
const weight = tensor(new Float32Array(8 * 3 * 3 * 3).fill(0.1), [8, 3, 3, 3]);
const { data } = conv2d(image, weight, { padding: 1 });
const there = performance.now();
const middle = data[64 * 32 + 32];
if (Math.abs(middle - 27 * 0.05) > 1e-5) throw new Error(`wrong: ${middle}`);
globalThis.first = { there, backend: backendInfo().isa };
