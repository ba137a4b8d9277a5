/** Fixed-point convolution in JavaScript: in float64 while that is exact, in BigInt beyond. */
import type { FixedConvPlan } from '../../plan/fixed-plan.js';
import { limiter, type Rounding, round, wordRange } from '../../plan/numeric-type.js';
import type { TypedArray } from '../../tensor/dtype.js';

/** See Backend.fixedConv2; every width, 'big' too. */
export function fixedConv2(
  plan: FixedConvPlan,
  image: TypedArray,
  kernel: TypedArray,
  out: TypedArray,
): void {
  if (plan.bound <= Number.MAX_SAFE_INTEGER) convolveNumbers(plan, image, kernel, out);
  else convolveBig(plan, image, kernel, out);
}

/** Each tap of the flipped kernel, row by row, that lies within the image for this output: where both are. */
function visitTaps(
  plan: FixedConvPlan,
  outRow: number,
  outColumn: number,
  visit: (imageAt: number, kernelAt: number) => void,
): void {
  const { rows, columns, planes, kernelRows, kernelColumns, padTop, padLeft } = plan;
  for (let p = 0; p < kernelRows; p++) {
    const row = outRow - padTop + p;
    if (row < 0 || row >= rows) continue;
    for (let q = 0; q < kernelColumns; q++) {
      const column = outColumn - padLeft + q;
      if (column < 0 || column >= columns) continue;
      visit((row * columns + column) * planes, (kernelRows - p) * kernelColumns - 1 - q);
    }
  }
}

function visitOutputs(
  plan: FixedConvPlan,
  visit: (row: number, column: number, plane: number) => void,
): void {
  for (let i = 0; i < plan.outRows; i++) {
    for (let j = 0; j < plan.outColumns; j++) {
      for (let k = 0; k < plan.planes; k++) visit(i, j, k);
    }
  }
}

function convolveNumbers(plan: FixedConvPlan, image: TypedArray, kernel: TypedArray, out: TypedArray): void {
  const { output, shift } = plan;
  const everyStep = plan.accumulate === 'every-step';
  const unit = 2 ** -shift;
  const limit = limiter(output);
  const requantise = (p: number) => limit(round(p * unit, output.rounding));
  let at = 0;
  visitOutputs(plan, (i, j, plane) => {
    let sum = 0;
    visitTaps(plan, i, j, (imageAt, kernelAt) => {
      const product = image[imageAt + plane] * kernel[kernelAt];
      sum = everyStep ? limit(sum + requantise(product)) : sum + product;
    });
    out[at++] = everyStep ? sum : requantise(sum);
  });
}

function convolveBig(plan: FixedConvPlan, image: TypedArray, kernel: TypedArray, out: TypedArray): void {
  const { output, shift } = plan;
  const everyStep = plan.accumulate === 'every-step';
  const { low, high } = wordRange(output);
  const [least, most, span] = [BigInt(low), BigInt(high), BigInt(high - low + 1)];
  const limitBig = (q: bigint): bigint => {
    if (q >= least && q <= most) return q;
    if (output.overflow === 'saturate') return q < least ? least : most;
    const above = (q - least) % span;
    return (above < 0n ? above + span : above) + least;
  };
  const requantise = (p: bigint) => limitBig(roundBig(p, shift, output.rounding));
  const weights = Array.from(kernel, (value) => BigInt(value));
  let at = 0;
  visitOutputs(plan, (i, j, plane) => {
    let sum = 0n;
    visitTaps(plan, i, j, (imageAt, kernelAt) => {
      const product = BigInt(image[imageAt + plane]) * weights[kernelAt];
      sum = everyStep ? limitBig(sum + requantise(product)) : sum + product;
    });
    out[at++] = Number(everyStep ? sum : requantise(sum));
  });
}

/** p / 2^shift as a whole number. */
function roundBig(p: bigint, shift: number, rounding: Rounding): bigint {
  if (shift <= 0) return p << BigInt(-shift);
  const bits = BigInt(shift);
  const below = p >> bits;
  const rest = p - (below << bits);
  const half = 1n << (bits - 1n);
  const upward = {
    floor: false,
    ceiling: rest > 0n,
    zero: rest > 0n && p < 0n,
    nearest: rest >= half,
    round: rest > half || (rest === half && p > 0n),
    convergent: rest > half || (rest === half && (below & 1n) === 1n),
  }[rounding];
  return upward ? below + 1n : below;
}
