/** A fixed-point convolution with every number derived. */

import { type FullNumericType, ROUNDINGS, wordRange } from '../options/numeric-type.js';
import type { ConvShape } from './linear.js';
import { type LinearAxis, linearAxis } from './linear.js';
import { encodeFixedPlan } from './wire.js';

/** Whether sums are rounded once at the end, or after every product. */
export type Accumulate = 'full' | 'every-step';

/** Of image [rows, columns, planes] and kernel [kernelRows, kernelColumns], which is flipped. */
export interface FixedConvPlan {
  readonly rows: number;
  readonly columns: number;
  readonly planes: number;
  readonly kernelRows: number;
  readonly kernelColumns: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly outRows: number;
  readonly outColumns: number;
  readonly accumulate: Accumulate;
  readonly output: FullNumericType;
  /** A product or sum p of stored integers is p / 2^shift in units of the output. */
  readonly shift: number;
  /** No product, sum or step of rounding is larger: by the operands' types and the kernel's values, proved, not hoped. */
  readonly bound: number;
  /** Bits of a signed integer that holds them; 'big' is past 64. */
  readonly width: 16 | 32 | 64 | 'big';
  readonly wire: Int32Array;
}

export interface FixedConvRequest {
  /** [rows, columns, planes]. */
  readonly image: readonly [number, number, number];
  readonly kernel: readonly [number, number];
  readonly shape: ConvShape;
  readonly accumulate: Accumulate;
  readonly output: FullNumericType;
  readonly shift: number;
  /** The largest magnitude of a stored integer in the image's type, and in the kernel; and their sum in the kernel. */
  readonly imageBound: number;
  readonly kernelBound: number;
  readonly kernelSum: number;
}

/** Beyond, a product other than 0 is past any word. */
const MAX_SHIFT_LEFT = 64;

export function planFixedConv(request: FixedConvRequest): FixedConvPlan {
  const { accumulate, output, imageBound, kernelBound, kernelSum } = request;
  const [rows, columns, planes] = request.image;
  const axes = [rows, columns].map((size, axis) => linearAxis(size, request.kernel[axis], request.shape));
  const terms = imageBound * (accumulate === 'full' ? kernelSum : kernelBound);
  const { shift, bound: rounded } = boundedShift(terms, request.shift);
  const { low, high } = wordRange(output);
  const word = Math.max(-low, high);
  // A step adds two numbers of the output's type; wrapping first subtracts the least of them.
  const bound = Math.max(rounded, accumulate === 'every-step' ? 2 * word : 0) + word;
  const [[padTop, outRows], [padLeft, outColumns]] = axes.map(paddedAxis);
  const width = narrowest(bound, shift);
  const sizes = {
    rows,
    columns,
    planes,
    kernelRows: request.kernel[0],
    kernelColumns: request.kernel[1],
    padTop,
    padLeft,
    outRows,
    outColumns,
  };
  const wire = encodeFixedPlan({
    ...sizes,
    bits: width === 'big' ? 0 : width,
    shift,
    rounding: ROUNDINGS.indexOf(output.rounding),
    everyStep: Number(accumulate === 'every-step'),
    wrap: Number(output.overflow === 'wrap'),
    signed: Number(output.signed),
    wordLength: output.wordLength,
  });
  return Object.freeze({ ...sizes, accumulate, output, shift, bound, width, wire });
}

/** The shift, no larger either way than makes a difference, and the largest magnitude that it gives rise to. */
function boundedShift(terms: number, shift: number): { shift: number; bound: number } {
  if (terms === 0) return { shift: 0, bound: 0 };
  if (shift <= 0) {
    const left = Math.min(-shift, MAX_SHIFT_LEFT);
    return { shift: -left, bound: terms * 2 ** left };
  }
  // Once |p| < 2^(right − 1) for every p, each is less than half a unit: a larger shift rounds alike.
  const right = Math.min(shift, Math.floor(Math.log2(terms)) + 3);
  return { shift: right, bound: terms + 2 ** right };
}

function narrowest(bound: number, shift: number): FixedConvPlan['width'] {
  // 16 bits are shifted by multiplying, which takes a shift of 2 or more.
  if (bound < 2 ** 15 && shift >= 2) return 16;
  if (bound < 2 ** 31) return 32;
  // Bounds are computed in float64: below 2^62 an error of theirs cannot matter.
  return bound < 2 ** 62 ? 64 : 'big';
}

function paddedAxis({ b, start, out }: LinearAxis): [pad: number, out: number] {
  return [b - 1 - start, out];
}
