/** Kernels that have names: `gaussian:2`, `sobel-x`, … */
import { ArgumentError } from '../errors.js';
import { type Nested, type Tensor, tensor } from '../tensor/tensor.js';

const FIXED: Readonly<Record<string, Nested>> = {
  'sobel-x': [
    [-1, 0, 1],
    [-2, 0, 2],
    [-1, 0, 1],
  ],
  'sobel-y': [
    [-1, -2, -1],
    [0, 0, 0],
    [1, 2, 1],
  ],
  laplacian: [
    [0, 1, 0],
    [1, -4, 1],
    [0, 1, 0],
  ],
  sharpen: [
    [0, -1, 0],
    [-1, 5, -1],
    [0, -1, 0],
  ],
  emboss: [
    [-2, -1, 0],
    [-1, 1, 1],
    [0, 1, 2],
  ],
};

export const KERNEL_NAMES = `gaussian:<sigma>, box:<size>, ${Object.keys(FIXED).join(', ')}`;

/** The kernel of that name; null for what is no name. */
export function namedKernel(text: string): Tensor | null {
  const [name, parameter] = text.split(':');
  if (name in FIXED && parameter === undefined) return tensor(FIXED[name], undefined, 'float64');
  if (name === 'gaussian') return gaussian(positive(parameter, 'gaussian:<sigma>', 100));
  if (name === 'box') return box(positive(parameter, 'box:<size>', 1001));
  return null;
}

function positive(text: string | undefined, form: string, most: number): number {
  const value = Number(text);
  if (text === undefined || !(value > 0 && value <= most)) {
    throw new ArgumentError(
      `--kernel: expected ${form} with a number above 0 and up to ${most}, got ${text}`,
    );
  }
  return value;
}

/** exp(−(i² + j²)/2σ²) out to 3σ, summing to 1. */
function gaussian(sigma: number): Tensor {
  const radius = Math.ceil(3 * sigma);
  const line = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = line.reduce((sum, value) => sum + value, 0);
  return tensor(
    line.map((a) => line.map((b) => (a * b) / total ** 2)),
    undefined,
    'float64',
  );
}

function box(size: number): Tensor {
  const side = Math.round(size);
  return tensor(
    Array.from({ length: side }, () => Array<number>(side).fill(1 / side ** 2)),
    undefined,
    'float64',
  );
}
