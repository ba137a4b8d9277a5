/** Resize and Upsample: each axis becomes a list of indices and weights, whatever mode and coordinates the file asks for. */
import { describe, describeShape } from '../../check.js';
import { FormatError, ShapeError, UnsupportedError } from '../../errors.js';
import type { Shape } from '../../tensor/tensor.js';
import { allocate } from '../elements.js';
import type { Evaluations, View } from '../evaluate.js';
import type { Attributes, Elements, ResizeAxis } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { sizeOf } from '../shapes.js';

const COORDINATES = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_half_pixel_for_nn',
  'tf_crop_and_resize',
] as const;
const NEAREST = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'] as const;
type Mode = Attributes['Resize']['mode'];

export const RESIZE: Readonly<Record<string, OnnxOperator>> = {
  Resize: {
    attributes: {
      antialias: 'int',
      axes: 'ints',
      coordinate_transformation_mode: COORDINATES,
      cubic_coeff_a: 'float',
      exclude_outside: 'int',
      extrapolation_value: 'float',
      keep_aspect_ratio_policy: ['stretch', 'not_larger', 'not_smaller'],
      mode: ['nearest', 'linear', 'cubic'],
      nearest_mode: NEAREST,
    },
    read: (node) => (node.opset < 11 ? readUpsample(node) : readResize(node)),
  },
  Upsample: { attributes: { mode: ['nearest', 'linear', 'bilinear'], scales: 'floats' }, read: readUpsample },
};

/** How one axis is resized. */
interface Stretch {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** Of tf_crop_and_resize, as shares of the axis. */
  readonly roi: readonly [start: number, end: number];
}

interface Manner {
  readonly mode: Mode;
  readonly coordinates: (typeof COORDINATES)[number];
  /** 'simple' is what files before opset 11 mean. */
  readonly nearest: (typeof NEAREST)[number] | 'simple';
  readonly cubicA: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}

/** Upsample, and Resize before opset 11: by scales, from the corner. */
function readUpsample(node: OnnxNode): void {
  const x = node.input(0);
  const scales = node.opset < 9 ? node.floats('scales') : node.known(node.input(1));
  const rank = x.shape.length;
  if (scales.length !== rank || !scales.every((scale) => scale > 0))
    throw node.refuse(ShapeError, `${rank} scales > 0`, describe(scales));
  const manner: Manner = {
    mode: node.string('mode', 'nearest') === 'nearest' ? 'nearest' : 'linear',
    coordinates: 'asymmetric',
    nearest: 'simple',
    cubicA: 0,
    excludeOutside: false,
    antialias: false,
  };
  const stretches = x.shape.map((from, axis): Stretch => {
    const scale = scales[axis];
    return { axis, from, to: Math.floor(f(from * scale)), scale, roi: [0, 1] };
  });
  finish(node, stretches, manner, 0);
}

function readResize(node: OnnxNode): void {
  const x = node.input(0);
  const rank = x.shape.length;
  const axes = node.axes(
    node.ints(
      'axes',
      x.shape.map((_, axis) => axis),
    ),
    rank,
  );
  const word = node.string('coordinate_transformation_mode', 'half_pixel');
  const coordinates = COORDINATES.find((known) => known === word) ?? 'half_pixel';
  const listOf = (index: number): number[] => {
    const operand = node.optional(index);
    return operand === null || sizeOf(operand.shape) === 0 ? [] : node.known(operand);
  };
  const roi = coordinates === 'tf_crop_and_resize' ? listOf(1) : [];
  const [scales, sizes] = [listOf(2), listOf(3)];
  const told = sizes.length > 0 ? sizes : scales;
  if (told.length !== axes.length || !told.every((number) => number > 0))
    throw node.refuse(ShapeError, `${axes.length} scales or sizes > 0`, describe(told));
  if (roi.length !== 0 && roi.length !== 2 * axes.length)
    throw node.refuse(ShapeError, `roi of ${2 * axes.length} numbers`, describe(roi));
  if (coordinates === 'tf_crop_and_resize' && roi.length === 0)
    throw node.refuse(FormatError, 'a roi to crop', 'none');
  const policy = node.string('keep_aspect_ratio_policy', 'stretch');
  const ratios = axes.map((axis, i) => sizes[i] / x.shape[axis]);
  const common = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  const stretches = axes.map((axis, i): Stretch => {
    const from = x.shape[axis];
    const edges: [number, number] = roi.length === 0 ? [0, 1] : [roi[i], roi[axes.length + i]];
    if (sizes.length === 0) {
      const cropped = coordinates === 'tf_crop_and_resize' ? from * (edges[1] - edges[0]) : from;
      return { axis, from, to: Math.floor(f(cropped * scales[i])), scale: scales[i], roi: edges };
    }
    if (policy === 'stretch') return { axis, from, to: sizes[i], scale: sizes[i] / from, roi: edges };
    return { axis, from, to: Math.round(common * from), scale: common, roi: edges };
  });
  const rounding = node.string('nearest_mode', 'round_prefer_floor');
  const mode = node.string('mode', 'nearest');
  finish(
    node,
    stretches,
    {
      mode: mode === 'linear' || mode === 'cubic' ? mode : 'nearest',
      coordinates,
      nearest: NEAREST.find((known) => known === rounding) ?? 'round_prefer_floor',
      cubicA: node.float('cubic_coeff_a', -0.75),
      excludeOutside: node.int('exclude_outside', 0) === 1,
      antialias: node.int('antialias', 0) === 1,
    },
    node.float('extrapolation_value', 0),
  );
}

function finish(node: OnnxNode, stretches: readonly Stretch[], manner: Manner, extrapolation: number): void {
  const x = node.input(0);
  if (manner.mode !== 'nearest') node.checkType(x, ['float32', 'float64']);
  const shape = [...x.shape];
  for (const { axis, to } of stretches) shape[axis] = to;
  if (sizeOf(x.shape) === 0 && sizeOf(shape) > 0)
    throw node.refuse(ShapeError, 'elements to resize', describeShape(x.shape));
  for (const { scale } of manner.antialias ? stretches : [])
    if (scale < SMALLEST_SCALE)
      throw node.refuse(UnsupportedError, `scales from ${SMALLEST_SCALE}`, `${scale}`);
  const crops = manner.coordinates === 'tf_crop_and_resize';
  const axes = stretches
    .filter(({ from, to, scale }) => crops || from !== to || scale !== 1)
    .map((stretch) => resizeAxis(stretch, manner));
  if (axes.length === 0) node.result(0, x);
  else node.become('Resize', { mode: manner.mode, axes, extrapolation }, [x], x.type, shape);
}

/** Antialiasing averages over as many elements as one output stands for. */
const SMALLEST_SCALE = 1e-4;

/** ONNX's coordinates are float32's, and ties fall as they do there. */
const f = Math.fround;

function resizeAxis(stretch: Stretch, manner: Manner): ResizeAxis {
  const { axis, from, to } = stretch;
  const kernel = kernelOf(stretch, manner);
  const indices = new Int32Array(to * kernel.taps);
  const weights = new Float32Array(to * kernel.taps);
  const crops = manner.coordinates === 'tf_crop_and_resize';
  const outside = crops ? new Uint8Array(to) : null;
  for (let i = 0; i < to; i++) {
    const place = coordinate(i, stretch, manner.coordinates);
    if (outside !== null && (place < 0 || place > from - 1)) outside[i] = 1;
    kernel.fill(place, indices, weights, i * kernel.taps);
  }
  return { axis, taps: kernel.taps, indices, weights, outside };
}

/** The place in the input that output i stands for. */
function coordinate(i: number, { from, to, scale, roi }: Stretch, mode: Manner['coordinates']): number {
  const centre = f(f(f(i + 0.5) / f(scale)) - 0.5);
  switch (mode) {
    case 'asymmetric':
      return f(i / f(scale));
    case 'half_pixel':
      return centre;
    case 'pytorch_half_pixel':
      return to > 1 ? centre : 0;
    case 'align_corners': {
      // As ONNX has it, the length that the scale asks for, which need not be a whole number.
      const length = scale * from;
      return length === 1 || to === 1 ? 0 : f(f(i * (from - 1)) / f(length - 1));
    }
    case 'tf_half_pixel_for_nn':
      return f(f(i + 0.5) / f(scale));
    case 'tf_crop_and_resize':
      return to > 1
        ? f(f(roi[0] * (from - 1)) + f(f(i * f(f(roi[1] - roi[0]) * (from - 1))) / (to - 1)))
        : f(0.5 * f(roi[0] + roi[1]) * (from - 1));
    case 'half_pixel_symmetric': {
      const adjustment = to / (scale * from);
      return f((from / 2) * (1 - adjustment) + f(i + 0.5) / scale - 0.5);
    }
  }
}

/** Writes the indices and weights of one output whose place is known. */
interface Kernel {
  readonly taps: number;
  fill(place: number, indices: Int32Array, weights: Float32Array, at: number): void;
}

function kernelOf({ from, scale }: Stretch, manner: Manner): Kernel {
  const clamp = (index: number) => Math.min(Math.max(index, 0), from - 1);
  const { mode, nearest, cubicA, excludeOutside, antialias } = manner;
  if (mode === 'nearest') {
    const round = roundingOf(nearest, scale < 1);
    return {
      taps: 1,
      fill: (place, indices, weights, at) => {
        indices[at] = clamp(round(place));
        weights[at] = 1;
      },
    };
  }
  // Averaging reaches over as many elements as one output stands for.
  const shrink = antialias ? Math.min(scale, 1) : 1;
  const [reach, weigh] = mode === 'linear' ? [1, triangle] : [2, (t: number) => cubic(t, cubicA)];
  const first = Math.floor(-reach / shrink) + 1;
  const taps = 2 - 2 * first;
  return {
    taps,
    fill: (place, indices, weights, at) => {
      // Places outside of the input read its edge; a cubic reaches past it on its own.
      const x = mode === 'linear' && !antialias ? Math.min(Math.max(place, 0), from - 1) : place;
      const base = Math.floor(x);
      let total = 0;
      for (let t = 0; t < taps; t++) {
        const index = base + first + t;
        const counts = !excludeOutside || (index >= 0 && index < from);
        const weight = counts ? weigh((index - x) * shrink) : 0;
        indices[at + t] = clamp(index);
        weights[at + t] = weight;
        total += weight;
      }
      // Weights of interpolation make 1 as they are, and stay exact where x is a place of the input.
      if (antialias || excludeOutside) for (let t = 0; t < taps; t++) weights[at + t] /= total;
    },
  };
}

function triangle(t: number): number {
  return Math.max(0, 1 - Math.abs(t));
}

/** Keys' cubic convolution. Source: Keys 1981, with a free coefficient. */
function cubic(t: number, a: number): number {
  const x = Math.abs(t);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/** Divisions by a scale that is rounded itself miss a half by some of float32's roundings: as much counts as one, as in onnxruntime. */
const NEAR_HALF = 1e-6;

function isHalf(place: number): boolean {
  return Math.abs(place - Math.floor(place) - 0.5) < NEAR_HALF;
}

function roundingOf(nearest: Manner['nearest'], shrinks: boolean): (place: number) => number {
  switch (nearest) {
    case 'floor':
      return Math.floor;
    case 'ceil':
      return Math.ceil;
    case 'round_prefer_ceil':
      return (place) => (isHalf(place) ? Math.ceil(place) : Math.round(place));
    case 'round_prefer_floor':
      return (place) => (isHalf(place) ? Math.floor(place) : Math.round(place));
    case 'simple':
      return shrinks ? Math.ceil : Math.floor;
  }
}

export const EVALUATE_RESIZE: Evaluations<'Resize'> = {
  Resize: ({ attributes: { axes, extrapolation }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    let data = x.data;
    let shape: Shape = x.shape;
    axes.forEach((axis, i) => {
      const next = shape.map((size, other) => (other === axis.axis ? y.shape[other] : size));
      const target = i === axes.length - 1 ? y.data : allocate(x.type, sizeOf(next));
      resizeOne(axis, { type: x.type, shape, data }, target, next, extrapolation);
      data = target;
      shape = next;
    });
  },
};

function resizeOne(axis: ResizeAxis, x: View, y: Elements, shape: Shape, extrapolation: number): void {
  const [from, to] = [x.shape[axis.axis], shape[axis.axis]];
  const inner = sizeOf(shape.slice(axis.axis + 1));
  const outer = sizeOf(shape.slice(0, axis.axis));
  const { taps, indices, weights, outside } = axis;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < to; i++) {
      const at = (o * to + i) * inner;
      if (outside !== null && outside[i] === 1) {
        y.fill(extrapolation, at, at + inner);
        continue;
      }
      if (taps === 1) {
        const source = (o * from + indices[i]) * inner;
        if (inner === 1) y[at] = x.data[source];
        else y.set(x.data.subarray(source, source + inner), at);
        continue;
      }
      for (let j = 0; j < inner; j++) {
        let sum = 0;
        for (let t = 0; t < taps; t++)
          sum += weights[i * taps + t] * x.data[(o * from + indices[i * taps + t]) * inner + j];
        y[at + j] = sum;
      }
    }
  }
}
