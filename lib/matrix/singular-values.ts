/** Singular values of a small complex matrix, by one-sided Jacobi rotations: slow, short, and accurate to the last. */

export interface ComplexMatrix {
  readonly rows: number;
  readonly cols: number;
  /** Row-major. */
  readonly re: Float64Array;
  readonly im: Float64Array;
}

// Rotations stop when columns are orthogonal to rounding; convergence is quadratic, and 64 × 64 takes about 10 sweeps.
const MAX_SWEEPS = 60;
const ORTHOGONAL = 1e-15;

/**
 * min(rows, cols) values, descending. Pairs of columns are rotated until all are orthogonal; their norms are the
 * singular values. The matrix is not modified.
 *
 * Source: Hestenes (1958); for the complex rotation and its accuracy, Drmač, Veselić (2008).
 */
export function singularValues(matrix: ComplexMatrix): Float64Array {
  const columns = tallColumns(matrix);
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let rotated = false;
    for (let p = 0; p < columns.length; p++) {
      for (let q = p + 1; q < columns.length; q++) rotated = orthogonalise(columns[p], columns[q]) || rotated;
    }
    if (!rotated) break;
  }
  return Float64Array.from(columns, ({ re, im }) => Math.sqrt(squared(re) + squared(im)))
    .sort()
    .reverse();
}

interface Column {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** The columns of the matrix, or of its transpose when that has fewer: the singular values are the same. */
function tallColumns({ rows, cols, re, im }: ComplexMatrix): Column[] {
  const wide = cols > rows;
  const count = wide ? rows : cols;
  const length = wide ? cols : rows;
  return Array.from({ length: count }, (_, j) => {
    const at = (i: number): number => (wide ? j * cols + i : i * cols + j);
    return {
      re: Float64Array.from({ length }, (_, i) => re[at(i)]),
      im: Float64Array.from({ length }, (_, i) => im[at(i)]),
    };
  });
}

/** Rotates two columns so that a*·b = 0; false when it already is. */
function orthogonalise(a: Column, b: Column): boolean {
  const length = a.re.length;
  let alpha = 0;
  let beta = 0;
  let gammaRe = 0;
  let gammaIm = 0;
  for (let i = 0; i < length; i++) {
    const ar = a.re[i];
    const ai = a.im[i];
    const br = b.re[i];
    const bi = b.im[i];
    alpha += ar * ar + ai * ai;
    beta += br * br + bi * bi;
    gammaRe += ar * br + ai * bi;
    gammaIm += ar * bi - ai * br;
  }
  const gamma = Math.hypot(gammaRe, gammaIm);
  if (!(gamma > ORTHOGONAL * Math.sqrt(alpha * beta))) return false;
  // With b's phase turned by that of a*·b the pair is as in the real case: t is the smaller root of t² + 2ζt − 1 = 0.
  const zeta = (beta - alpha) / (2 * gamma);
  const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const c = 1 / Math.hypot(1, t);
  const s = c * t;
  const phaseRe = gammaRe / gamma;
  const phaseIm = gammaIm / gamma;
  for (let i = 0; i < length; i++) {
    const ar = a.re[i];
    const ai = a.im[i];
    const br = b.re[i] * phaseRe + b.im[i] * phaseIm;
    const bi = b.im[i] * phaseRe - b.re[i] * phaseIm;
    a.re[i] = c * ar - s * br;
    a.im[i] = c * ai - s * bi;
    b.re[i] = s * ar + c * br;
    b.im[i] = s * ai + c * bi;
  }
  return true;
}

function squared(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}
