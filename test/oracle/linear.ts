/** MATLAB's convolutions and the discrete Fourier transform, by definition. */

interface Values {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

export interface Result {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

/** out[i] = Σ_j a[j]·b[i − j] over all axes, the window by MATLAB's names. */
export function linear(a: Values, b: Values, shape: 'full' | 'same' | 'valid'): Result {
  const rank = a.shape.length;
  const window = a.shape.map((size, axis) => {
    const other = b.shape[axis];
    if (shape === 'full') return { start: 0, size: size + other - 1 };
    if (shape === 'same') return { start: Math.ceil((other - 1) / 2), size };
    return { start: other - 1, size: Math.max(size - other + 1, 0) };
  });
  const sizes = window.map(({ size }) => size);
  const data = new Float64Array(sizes.reduce((product, size) => product * size, 1));
  const ofA = indices(a.shape);
  const ofB = indices(b.shape);
  ofA.forEach((i, p) => {
    ofB.forEach((j, q) => {
      let at = 0;
      for (let axis = 0; axis < rank; axis++) {
        const position = i[axis] + j[axis] - window[axis].start;
        if (position < 0 || position >= sizes[axis]) return;
        at = at * sizes[axis] + position;
      }
      data[at] += a.data[p] * b.data[q];
    });
  });
  return { data, shape: sizes };
}

function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}

/** X[k] = Σ_j x[j]·e^(−2πi·jk/n). */
export function fourier(
  re: ArrayLike<number>,
  im: ArrayLike<number>,
): { re: Float64Array; im: Float64Array } {
  const n = re.length;
  const out = { re: new Float64Array(n), im: new Float64Array(n) };
  const turns = Array.from({ length: n }, (_, j) => [
    Math.cos((2 * Math.PI * j) / n),
    Math.sin((2 * Math.PI * j) / n),
  ]);
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < n; j++) {
      const [cos, sin] = turns[(j * k) % n];
      out.re[k] += re[j] * cos + im[j] * sin;
      out.im[k] += im[j] * cos - re[j] * sin;
    }
  }
  return out;
}
