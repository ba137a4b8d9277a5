/**
 * Singular values of small complex matrices: Householder reflections make each real and bidiagonal, implicit QR steps make
 * that diagonal. As native/ops/singular_values.cc, where the sources are named.
 */

/** An entry off the diagonal that is smaller in relation to the largest value changes no value. */
const NEGLIGIBLE = Number.EPSILON / 256;
/** QR steps for each value; three are usual. */
const MOST_STEPS = 60;
/** Vectors with nothing larger are multiplied by LIFT first, so that their squares do not vanish. */
const LOW = 2 ** -400;
const LIFT = 2 ** 600;

/** Values of one matrix come in no order. */
export function singularValues(
  rows: number,
  cols: number,
  re: Float64Array,
  im: Float64Array,
  values: Float64Array,
): void {
  const size = rows * cols;
  const height = Math.max(rows, cols);
  const width = Math.min(rows, cols);
  const bidiagonal = new Bidiagonal(height, width);
  for (let i = 0; i * size < re.length; i++) {
    // The transpose has the same singular values, and its columns are rows here.
    bidiagonal.load(
      re.subarray(i * size, (i + 1) * size),
      im.subarray(i * size, (i + 1) * size),
      rows < cols,
    );
    const d = values.subarray(i * width, (i + 1) * width);
    if (!bidiagonal.finite()) {
      d.fill(Number.NaN);
      continue;
    }
    const e = bidiagonal.reduce(d);
    diagonalise(d, e);
    for (let j = 0; j < width; j++) d[j] = Math.abs(d[j]);
  }
}

/** A tall matrix by columns, [width][height]: both of its reflections go along contiguous memory. */
class Bidiagonal {
  readonly #re: Float64Array;
  readonly #im: Float64Array;
  readonly #rowRe: Float64Array;
  readonly #rowIm: Float64Array;
  readonly #sumRe: Float64Array;
  readonly #sumIm: Float64Array;
  readonly #above: Float64Array;
  // Of the last reflection.
  #tauRe = 0;
  #tauIm = 0;

  constructor(
    private readonly height: number,
    private readonly width: number,
  ) {
    this.#re = new Float64Array(height * width);
    this.#im = new Float64Array(height * width);
    this.#rowRe = new Float64Array(width);
    this.#rowIm = new Float64Array(width);
    this.#sumRe = new Float64Array(height);
    this.#sumIm = new Float64Array(height);
    this.#above = new Float64Array(width);
  }

  load(re: Float64Array, im: Float64Array, byColumns: boolean): void {
    if (byColumns) {
      this.#re.set(re);
      this.#im.set(im);
      return;
    }
    const { height, width } = this;
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        this.#re[j * height + i] = re[i * width + j];
        this.#im[j * height + i] = im[i * width + j];
      }
    }
  }

  finite(): boolean {
    return this.#re.every(Number.isFinite) && this.#im.every(Number.isFinite);
  }

  /** Fills the diagonal; returns what stands above it. The matrix is lost. */
  reduce(diagonal: Float64Array): Float64Array {
    const { height, width } = this;
    for (let k = 0; k < width; k++) {
      const at = k * height + k;
      diagonal[k] = this.#reflect(this.#re, this.#im, at, (k + 1) * height);
      for (let j = k + 1; j < width; j++) this.#reflectColumn(at, j * height + k, height - k);
      if (k + 1 < width) this.#above[k] = this.#reflectRows(k);
    }
    return this.#above;
  }

  /** x ← x − conj(τ)·v·(vᴴ·x), for the column at `x`. */
  #reflectColumn(v: number, x: number, length: number): void {
    const re = this.#re;
    const im = this.#im;
    let sumRe = 0;
    let sumIm = 0;
    for (let i = 0; i < length; i++) {
      const vr = re[v + i];
      const vi = im[v + i];
      const xr = re[x + i];
      const xi = im[x + i];
      sumRe += vr * xr + vi * xi;
      sumIm += vr * xi - vi * xr;
    }
    const factorRe = this.#tauRe * sumRe + this.#tauIm * sumIm;
    const factorIm = this.#tauRe * sumIm - this.#tauIm * sumRe;
    for (let i = 0; i < length; i++) {
      const vr = re[v + i];
      const vi = im[v + i];
      re[x + i] -= factorRe * vr - factorIm * vi;
      im[x + i] -= factorRe * vi + factorIm * vr;
    }
  }

  /** Reflects what is right of the diagonal in row k to one entry, which it returns, and the rows below with it. */
  #reflectRows(k: number): number {
    const { height, width } = this;
    const re = this.#re;
    const im = this.#im;
    const rowRe = this.#rowRe;
    const rowIm = this.#rowIm;
    for (let j = k + 1; j < width; j++) {
      rowRe[j] = re[j * height + k];
      rowIm[j] = im[j * height + k];
    }
    const beta = this.#reflect(rowRe, rowIm, k + 1, width);
    const sumRe = this.#sumRe.fill(0);
    const sumIm = this.#sumIm.fill(0);
    for (let j = k + 1; j < width; j++) {
      const ur = rowRe[j];
      const ui = rowIm[j];
      const column = j * height;
      for (let i = k + 1; i < height; i++) {
        const xr = re[column + i];
        const xi = im[column + i];
        sumRe[i] += ur * xr + ui * xi;
        sumIm[i] += ur * xi - ui * xr;
      }
    }
    for (let j = k + 1; j < width; j++) {
      const factorRe = this.#tauRe * rowRe[j] + this.#tauIm * rowIm[j];
      const factorIm = this.#tauRe * rowIm[j] - this.#tauIm * rowRe[j];
      const column = j * height;
      for (let i = k + 1; i < height; i++) {
        re[column + i] -= factorRe * sumRe[i] - factorIm * sumIm[i];
        im[column + i] -= factorRe * sumIm[i] + factorIm * sumRe[i];
      }
    }
    return beta;
  }

  /**
   * x = elements [start, end) becomes v, v[0] = 1, of a reflection H = I − τ·v·vᴴ for which Hᴴ·x = (β, 0, … 0), β real and
   * returned.
   */
  #reflect(re: Float64Array, im: Float64Array, start: number, end: number): number {
    this.#tauRe = 0;
    this.#tauIm = 0;
    let largest = 0;
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(re[i]), Math.abs(im[i]));
    if (largest === 0) return 0;
    const lift = largest < LOW ? LIFT : 1;
    let squares = 0;
    for (let i = start; i < end; i++) {
      re[i] *= lift;
      im[i] *= lift;
      squares += re[i] * re[i] + im[i] * im[i];
    }
    const alphaRe = re[start];
    const alphaIm = im[start];
    const beta = alphaRe > 0 ? -Math.sqrt(squares) : Math.sqrt(squares);
    this.#tauRe = (beta - alphaRe) / beta;
    this.#tauIm = -alphaIm / beta;
    const divisor = alphaRe - beta;
    const size = divisor * divisor + alphaIm * alphaIm;
    const factorRe = divisor / size;
    const factorIm = -alphaIm / size;
    for (let i = start + 1; i < end; i++) {
      const value = re[i];
      re[i] = factorRe * value - factorIm * im[i];
      im[i] = factorRe * im[i] + factorIm * value;
    }
    re[start] = 1;
    im[start] = 0;
    return beta / lift;
  }
}

/** The bidiagonal matrix of d, and of e above it, becomes diagonal. */
function diagonalise(d: Float64Array, e: Float64Array): void {
  const n = d.length;
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(d[i]), i + 1 < n ? Math.abs(e[i]) : 0);
  const negligible = (i: number): boolean => {
    const size = Math.abs(e[i]);
    if (size <= NEGLIGIBLE * largest) return true;
    return size <= (Number.EPSILON / 2) * Math.max(Math.abs(d[i]), Math.abs(d[i + 1]));
  };
  let last = n - 1;
  let turned = n;
  for (let step = 0; step < MOST_STEPS * n && last > 0; step++) {
    let first = last;
    while (first > 0 && !negligible(first - 1)) first--;
    if (first > 0) e[first - 1] = 0;
    if (first === last) {
      last--;
      continue;
    }
    // The smallest values are found first, at the end: a block that has its larger ones there is turned around.
    if (first !== turned && Math.abs(d[first]) < Math.abs(d[last])) {
      d.subarray(first, last + 1).reverse();
      e.subarray(first, last).reverse();
    }
    turned = first;
    const shift = smallerValue(d[last - 1], e[last - 1], d[last]);
    const ratio = shift / Math.abs(d[first]);
    const shifted = d[first] !== 0 && shift > NEGLIGIBLE * largest && ratio * ratio > Number.EPSILON;
    if (shifted) stepShifted(first, last, shift, d, e);
    else stepUnshifted(first, last, d, e);
  }
}

/** √(f² + g²), where the squares do not overflow. */
function radius(f: number, g: number): number {
  const r = Math.sqrt(f * f + g * g);
  return r > 2 ** -500 ? r : Math.hypot(f, g);
}

/** The smaller singular value of [f g; 0 h]. */
function smallerValue(f: number, g: number, h: number): number {
  const small = Math.min(Math.abs(f), Math.abs(h));
  const large = Math.max(Math.abs(f), Math.abs(h));
  if (small === 0) return 0;
  const across = Math.abs(g);
  const sum = 1 + small / large;
  const difference = (large - small) / large;
  if (across <= large) {
    const square = (across / large) ** 2;
    return small * (2 / (Math.sqrt(sum * sum + square) + Math.sqrt(difference * difference + square)));
  }
  const ratio = large / across;
  if (ratio === 0) return (small * large) / across;
  const plus = sum * ratio;
  const minus = difference * ratio;
  return 2 * (small * (1 / (Math.sqrt(1 + plus * plus) + Math.sqrt(1 + minus * minus)))) * ratio;
}

/** One QR step without a shift: small values keep their digits. */
function stepUnshifted(first: number, last: number, d: Float64Array, e: Float64Array): void {
  let c = 1;
  let oldC = 1;
  let oldS = 0;
  for (let i = first; i < last; i++) {
    const f = d[i] * c;
    const r = radius(f, e[i]);
    c = r === 0 ? 1 : f / r;
    const s = r === 0 ? 0 : e[i] / r;
    if (i > first) e[i - 1] = oldS * r;
    const h = d[i + 1] * s;
    d[i] = radius(oldC * r, h);
    oldS = d[i] === 0 ? 0 : h / d[i];
    oldC = d[i] === 0 ? 1 : (oldC * r) / d[i];
  }
  const h = d[last] * c;
  d[last] = h * oldC;
  e[last - 1] = h * oldS;
}

function stepShifted(first: number, last: number, shift: number, d: Float64Array, e: Float64Array): void {
  let f = (Math.abs(d[first]) - shift) * (Math.sign(d[first]) + shift / d[first]);
  let g = e[first];
  for (let i = first; i < last; i++) {
    let r = radius(f, g);
    let c = r === 0 ? 1 : f / r;
    let s = r === 0 ? 0 : g / r;
    if (i > first) e[i - 1] = r;
    f = c * d[i] + s * e[i];
    e[i] = c * e[i] - s * d[i];
    g = s * d[i + 1];
    d[i + 1] *= c;
    r = radius(f, g);
    c = r === 0 ? 1 : f / r;
    s = r === 0 ? 0 : g / r;
    d[i] = r;
    f = c * e[i] + s * d[i + 1];
    d[i + 1] = c * d[i + 1] - s * e[i];
    if (i + 1 < last) {
      g = s * e[i + 1];
      e[i + 1] *= c;
    }
  }
  e[last - 1] = f;
}
