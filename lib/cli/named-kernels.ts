/** Kernels that have names: `gaussian:2`, `sobel-x`, … */
import { ArgumentError } from '../errors.js';
import { type Nested, type Tensor, tensor } from '../tensor/tensor.js';
import { quoted } from '../text.js';

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

/** Those with a parameter: how it is written, its largest value, and the kernel of one. */
const MADE: Readonly<Record<string, { form: string; most: number; make: (parameter: number) => Tensor }>> = {
  gaussian: { form: 'gaussian:<sigma>', most: 100, make: gaussian },
  box: { form: 'box:<size>', most: 1001, make: box },
};

export const KERNEL_NAMES = [...Object.values(MADE).map(({ form }) => form), ...Object.keys(FIXED)].join(
  ', ',
);

/** The kernel of that name; null for what is no name. */
export function namedKernel(text: string): Tensor | null {
  const [name, parameter] = text.split(':');
  if (Object.hasOwn(FIXED, name) && parameter === undefined) return tensor(FIXED[name], undefined, 'float64');
  if (!Object.hasOwn(MADE, name)) return null;
  const { form, most, make } = MADE[name];
  const value = Number(parameter);
  if (parameter === undefined || !(value > 0 && value <= most)) {
    const expected = `${form} with a number above 0 and up to ${most}`;
    throw new ArgumentError(`--kernel: expected ${expected}, got ${quoted(text)}`);
  }
  return make(value);
}

/** Names that are spelt much like this one, or begin with it, as they would be written. */
export function similarNames(text: string): string[] {
  const [name] = text.toLowerCase().split(':');
  const forms = [
    ...Object.entries(MADE).map(([key, { form }]) => [key, form]),
    ...Object.keys(FIXED).map((key) => [key, key]),
  ];
  return forms
    .filter(([key]) => key.startsWith(name) || name.startsWith(key) || distance(name, key) <= key.length / 3)
    .map(([, form]) => form);
}

/** How many letters are to be put in, taken out or changed: Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j] + (a[i] === b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1));
    }
    row = next;
  }
  return row[b.length];
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
  const side = Math.max(1, Math.round(size));
  return tensor(
    Array.from({ length: side }, () => Array<number>(side).fill(1 / side ** 2)),
    undefined,
    'float64',
  );
}
