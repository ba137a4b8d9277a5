/** Convolution (the kernel is not flipped), its transpose and its gradients, by definition, in float64. */
import {
  flat,
  type Geometry,
  indices,
  margins,
  perAxis,
  product,
  type Result,
  slide,
  type Values,
  withBatch,
  zeros,
} from './window';

/** Flat positions in x, w and y of a product x·w that goes into y. */
type Visit = (x: number, w: number, y: number) => void;

/** Visits every product of the convolution. */
function everyProduct(
  xShape: readonly number[],
  wShape: readonly number[],
  geometry: Geometry,
  visit: Visit,
): void {
  const [oc, perGroup, ...kernel] = wShape;
  const [n, ic, ...spatial] = withBatch(xShape, kernel.length);
  const { from } = slide(spatial, kernel, geometry);
  const pixels = product(spatial);
  const taps = product(kernel);
  const outPerGroup = oc / (geometry.groups ?? 1);
  for (let image = 0; image < n; image++) {
    for (let o = 0; o < oc; o++) {
      const firstChannel = Math.floor(o / outPerGroup) * perGroup;
      for (let place = 0; place < from.length; place++) {
        for (let c = 0; c < perGroup; c++) {
          for (let tap = 0; tap < taps; tap++) {
            const pixel = from[place][tap];
            if (pixel < 0) continue;
            const x = (image * ic + firstChannel + c) * pixels + pixel;
            visit(x, (o * perGroup + c) * taps + tap, (image * oc + o) * from.length + place);
          }
        }
      }
    }
  }
}

export function outputShape(
  xShape: readonly number[],
  wShape: readonly number[],
  geometry: Geometry,
): readonly number[] {
  const [oc, , ...kernel] = wShape;
  const batch = xShape.slice(0, xShape.length - kernel.length - 1);
  return [...batch, oc, ...slide(xShape.slice(-kernel.length), kernel, geometry).places];
}

/** Adds b[channel] to every element; `rank` spatial axes follow the channels. */
function addBias(y: Result, bias: Values | null | undefined, rank: number): Result {
  if (!bias) return y;
  const places = product(y.shape.slice(-rank));
  const channels = y.shape[y.shape.length - rank - 1];
  y.data.forEach((_, at) => {
    y.data[at] += bias.data[Math.floor(at / places) % channels];
  });
  return y;
}

/** y[n,o,p] = b[o] + Σ x·w */
export function conv(x: Values, w: Values, geometry: Geometry = {}, bias?: Values | null): Result {
  const y = zeros(outputShape(x.shape, w.shape, geometry));
  everyProduct(x.shape, w.shape, geometry, (xi, wi, yi) => {
    y.data[yi] += x.data[xi] * w.data[wi];
  });
  return addBias(y, bias, w.shape.length - 2);
}

/** dx = Σ dy·w: each product of the forward sum, turned to its input. */
export function inputGrad(xShape: readonly number[], w: Values, dy: Values, geometry: Geometry = {}): Result {
  const dx = zeros(xShape);
  everyProduct(xShape, w.shape, geometry, (xi, wi, yi) => {
    dx.data[xi] += dy.data[yi] * w.data[wi];
  });
  return dx;
}

/** dw = Σ dy·x */
export function weightGrad(
  x: Values,
  wShape: readonly number[],
  dy: Values,
  geometry: Geometry = {},
): Result {
  const dw = zeros(wShape);
  everyProduct(x.shape, wShape, geometry, (xi, wi, yi) => {
    dw.data[wi] += dy.data[yi] * x.data[xi];
  });
  return dw;
}

/** db[o] = Σ dy over the batch and all places. */
export function biasGrad(dy: Values, rank: number): Result {
  const [n, channels, ...spatial] = withBatch(dy.shape, rank);
  const places = product(spatial);
  const db = zeros([channels]);
  for (let image = 0; image < n; image++) {
    for (let c = 0; c < channels; c++) {
      for (let place = 0; place < places; place++) {
        db.data[c] += dy.data[(image * channels + c) * places + place];
      }
    }
  }
  return db;
}

/**
 * The transposed convolution: each input element adds the kernel, scaled, to the output at `stride` apart. Padding
 * crops the ends, `outputPadding` then lengthens the last one.
 */
export function convTranspose(
  x: Values,
  w: Values,
  options: Geometry & { outputPadding?: number | readonly number[] } = {},
  bias?: Values | null,
): Result {
  const [, perGroup, ...kernel] = w.shape;
  const rank = kernel.length;
  const [n, ic, ...spatial] = withBatch(x.shape, rank);
  const stride = perAxis(options.stride, rank, 1);
  const dilation = perAxis(options.dilation, rank, 1);
  const extra = perAxis(options.outputPadding, rank, 0);
  const margin = margins(options.padding, kernel, dilation);
  const places = spatial.map((size, axis) => {
    const reach = (size - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
    return reach - margin[axis][0] - margin[axis][1] + extra[axis];
  });
  const groups = options.groups ?? 1;
  const taps = product(kernel);
  const y = zeros([...x.shape.slice(0, x.shape.length - rank - 1), perGroup * groups, ...places]);
  const tapIndices = indices(kernel);
  indices(spatial).forEach((at, pixel) => {
    tapIndices.forEach((tapAt, tap) => {
      const to = at.map((i, axis) => i * stride[axis] + tapAt[axis] * dilation[axis] - margin[axis][0]);
      if (to.some((i, axis) => i < 0 || i >= places[axis])) return;
      for (let image = 0; image < n; image++) {
        for (let c = 0; c < ic; c++) {
          const group = Math.floor(c / (ic / groups));
          for (let o = 0; o < perGroup; o++) {
            const plane = (image * groups + group) * perGroup + o;
            const value = x.data[(image * ic + c) * product(spatial) + pixel];
            y.data[plane * product(places) + flat(to, places)] +=
              value * w.data[(c * perGroup + o) * taps + tap];
          }
        }
      }
    });
  });
  return addBias(y, bias, rank);
}
