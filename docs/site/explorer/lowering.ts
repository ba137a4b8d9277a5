/**
 * The convolution of the state, computed by convmat: its output, both matrices, and what they cost. Where an output reads
 * from is computed by convmat, too: the same pad and unfold go over the numbers of the elements instead of their values.
 */
import {
  type ConvMatrix,
  ConvmatError,
  type Cost,
  type CsrMatrix,
  conv2d,
  convMatrix,
  type Explanation,
  explainConv,
  type FloatArray,
  pad,
  type Tensor,
  tensor,
  unfold,
} from 'convmat';
import type { State } from './state.js';

/** What follows from sizes, options and weights, whatever the pixels are. */
export interface Geometry {
  readonly oh: number;
  readonly ow: number;
  /** Height and width of the image with its padding. */
  readonly fh: number;
  readonly fw: number;
  /** For each element of the padded image, [ic, fh, fw], the number of the input element it repeats; −1 is a zero. */
  readonly sources: Int32Array;
  /** For each entry of im2col, [ic·kh·kw, oh·ow], the element of the padded image. */
  readonly reads: Int32Array;
  readonly matrix: ConvMatrix<Float32Array>;
  readonly csr: CsrMatrix<Float32Array>;
  readonly explanation: Explanation;
}

/** What follows from the pixels, too. */
export interface Values {
  /** The image with its padding, [ic, fh, fw]. */
  readonly frame: FloatArray;
  /** [oc, oh, ow]. */
  readonly output: FloatArray;
  /** im2col of the image, [ic·kh·kw, oh·ow]. */
  readonly columns: FloatArray;
}

export interface Lowering {
  readonly state: State;
  readonly geometry: Geometry;
  readonly values: Values;
}

const MODES = {
  zeros: 'constant',
  circular: 'circular',
  reflect: 'reflect',
  replicate: 'replicate',
} as const;

export function geometryOptions({ stride, dilation, padding, paddingMode }: State) {
  return { stride, dilation, padding, paddingMode };
}

function padded<T extends Tensor>(t: T, { padding, paddingMode }: State): Tensor {
  const sides = [padding, padding] as const;
  return pad(t, [sides, sides], { mode: MODES[paddingMode] });
}

function weightOf({ weights, oc, ic, groups, kh, kw }: State): Tensor<Float32Array> {
  return tensor(weights, [oc, ic / groups, kh, kw]);
}

function imageOf({ pixels, ic, height, width }: State): Tensor<Float32Array> {
  return tensor(Float32Array.from(pixels), [ic, height, width]);
}

function geometryOf(state: State): Geometry {
  const { ic, height, width, kh, kw, stride, dilation, groups } = state;
  const weight = weightOf(state);
  const options = { ...geometryOptions(state), groups };
  const matrix = convMatrix(weight, { ...options, inputShape: [ic, height, width] });
  // Numbers from 1 on, so that padding with zeros is told from element 0.
  const numbers = tensor(
    Int32Array.from({ length: ic * height * width }, (_, i) => i + 1),
    [ic, height, width],
  );
  const frame = padded(numbers, state);
  const [, fh, fw] = frame.shape;
  const places = tensor(
    Int32Array.from({ length: ic * fh * fw }, (_, i) => i),
    [ic, fh, fw],
  );
  const [, oh, ow] = matrix.outputShape;
  return {
    oh,
    ow,
    fh,
    fw,
    sources: Int32Array.from(frame.data, (n) => n - 1),
    reads: unfold(places, [kh, kw], { stride, dilation }).data,
    matrix,
    csr: matrix.toCSR(),
    explanation: explainConv([1, ic, height, width], weight, options),
  };
}

function valuesOf(state: State): Values {
  const { kh, kw, groups, ic, height, width } = state;
  const image = imageOf(state);
  const options = geometryOptions(state);
  return {
    frame: Float32Array.from(padded(image, state).data),
    output: conv2d(image.reshape([1, ic, height, width]), weightOf(state), { ...options, groups }).data,
    columns: unfold(image, [kh, kw], options).data,
  };
}

const SHAPES_GEOMETRY = [
  'height',
  'width',
  'ic',
  'oc',
  'groups',
  'kh',
  'kw',
  'weights',
  'stride',
  'dilation',
  'padding',
  'paddingMode',
] as const satisfies readonly (keyof State)[];

/** The state's convolution, taking over from the last one what has not changed. @throws {ConvmatError} that says what does not fit. */
export function lower(state: State, last: Lowering | undefined): Lowering {
  const isSameGeometry = last !== undefined && SHAPES_GEOMETRY.every((key) => last.state[key] === state[key]);
  const isSame = isSameGeometry && last.state.pixels === state.pixels;
  return {
    state,
    geometry: isSameGeometry ? last.geometry : geometryOf(state),
    values: isSame ? last.values : valuesOf(state),
  };
}

export function costOf({ costs }: Explanation, algorithm: Cost['algorithm']): Cost | undefined {
  return costs.find((cost) => cost.algorithm === algorithm);
}

export function isRefusal(error: unknown): error is ConvmatError {
  return error instanceof ConvmatError;
}
