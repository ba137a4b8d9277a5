/** The error function: JavaScript's Math has none. */

/** Half the distance between the points that series are about. */
const HALF_STEP = 1 / 16;
/** From here on erf is 1 to the last bit. */
const ONE_FROM = 6;
/** (1/16)^13 times the largest coefficient is below half a unit in the last place. */
const TERMS = 13;

let tables: Float64Array | undefined;

/** 2/√π·∫₀ˣ exp(−t²) dt, to about one unit in the last place of 1. NaN stays NaN. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (!(size < ONE_FROM)) return Number.isNaN(x) ? x : Math.sign(x);
  tables ??= makeTables();
  const point = Math.round(size / (2 * HALF_STEP));
  const h = size - point * 2 * HALF_STEP;
  let value = 0;
  for (let n = TERMS - 1; n >= 0; n--) value = value * h + tables[point * TERMS + n];
  return x < 0 ? -value : value;
}

/**
 * Taylor coefficients of erf about every multiple of 1/8: those of exp(−(x + h)²) follow from its derivative, −2(x + h)
 * times itself, and integrate term by term.
 */
function makeTables(): Float64Array {
  const points = ONE_FROM / (2 * HALF_STEP) + 1;
  const coefficients = new Float64Array(points * TERMS);
  for (let point = 0; point < points; point++) {
    const x = point * 2 * HALF_STEP;
    const at = point * TERMS;
    coefficients[at] = erfAt(x);
    let before = 0;
    let current = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x);
    for (let n = 0; n < TERMS - 1; n++) {
      coefficients[at + n + 1] = current / (n + 1);
      const next = (-2 * (x * current + before)) / (n + 1);
      before = current;
      current = next;
    }
  }
  return coefficients;
}

/** From here on 1 − erf is so small that its own error is nothing. */
const TAIL_FROM = 2;
/** More levels of the continued fraction change no bit at TAIL_FROM. */
const LEVELS = 80;

/**
 * erf x = 2/√π·exp(−x²)·Σ 2ⁿ·x^(2n + 1)/(1·3·…·(2n + 1)), whose terms are all positive; in the tail
 * 1 − exp(−x²)/√π / (x + ½/(x + 1/(x + 3⁄2/(x + …)))).
 *
 * Source: Abramowitz and Stegun, 7.1.6 and 7.1.14.
 */
function erfAt(x: number): number {
  const density = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x >= TAIL_FROM) {
    let fraction = x;
    for (let level = LEVELS; level > 0; level--) fraction = x + level / 2 / fraction;
    return 1 - density / fraction;
  }
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 2 ** -54; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return 2 * density * sum;
}
