/** Images that are drawn, and kernels by name: the library's own, and two that show what a tap does. */
import { image, Tensor } from 'convmat';
import { LIMITS, MOST_GREY, type State } from './state.js';

/** Grey from 0 to 1 at (y, x), each from 0 to 1, of one channel. */
type Drawing = (y: number, x: number, channel: number) => number;

const distance = (y: number, x: number, cy: number, cx: number): number => Math.hypot(y - cy, x - cx);

const DRAWINGS: Readonly<Record<string, Drawing>> = {
  ring: (y, x, c) => {
    const r = distance(y, x, 0.5, 0.5 + 0.08 * c);
    return 1 - Math.min(Math.abs(r - 0.32) / 0.16, 1);
  },
  edge: (y, x, c) => (x + 0.15 * c < 0.5 ? 0.1 : 0.9) * (y < 2 ? 1 : 0),
  ramp: (y, x, c) => [x, y, (x + y) / 2][c % 3],
  squares: (y, x, c) => ((Math.floor(y * 4) + Math.floor(x * 4) + c) % 2 === 0 ? 1 : 0.15),
  dot: (y, x, c) => (distance(y, x, 0.5, 0.5 + 0.15 * c) < 0.13 ? 1 : 0),
  empty: () => 0,
};

export const IMAGES: readonly string[] = Object.keys(DRAWINGS);

/** The drawing in pixels, [ic, height, width]; what has no such name is empty. */
export function drawImage(name: string, ic: number, height: number, width: number): Uint8Array {
  const draw = DRAWINGS[name] ?? DRAWINGS['empty'];
  const pixels = new Uint8Array(ic * height * width);
  let at = 0;
  for (let c = 0; c < ic; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const grey = draw((y + 0.5) / height, (x + 0.5) / width, c);
        pixels[at++] = Math.round(MOST_GREY * Math.min(Math.max(grey, 0), 1));
      }
    }
  }
  return pixels;
}

/** The pixels where two sizes overlap, centred nowhere: what is new is empty. */
export function resizeImage(state: State, ic: number, height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(ic * height * width);
  for (let c = 0; c < Math.min(ic, state.ic); c++) {
    for (let y = 0; y < Math.min(height, state.height); y++) {
      for (let x = 0; x < Math.min(width, state.width); x++)
        pixels[(c * height + y) * width + x] = state.pixels[(c * state.height + y) * state.width + x];
    }
  }
  return pixels;
}

type Grid = Tensor<Float32Array>;

const odd = (size: number): number => (size % 2 === 0 ? size - 1 : size);

function one(kh: number, kw: number): Grid {
  const data = new Float32Array(kh * kw);
  data[Math.floor(kh / 2) * kw + Math.floor(kw / 2)] = 1;
  return new Tensor(data, [kh, kw]);
}

function counting(kh: number, kw: number): Grid {
  return new Tensor(
    Float32Array.from({ length: kh * kw }, (_, i) => i + 1),
    [kh, kw],
  );
}

/** Kernels by name; those of a size of their own come in it, whatever is asked for. */
const KERNELS: Readonly<Record<string, { readonly label: string; readonly make: (size: number) => Grid }>> = {
  'sobel-x': { label: 'Sobel, along x', make: () => image.sobel('x') },
  'sobel-y': { label: 'Sobel, along y', make: () => image.sobel('y') },
  laplacian: { label: 'Laplacian', make: () => image.laplacian() },
  sharpen: { label: 'sharpen', make: () => image.sharpen() },
  gaussian: {
    label: 'Gaussian',
    make: (size) => image.gaussian(Math.max(odd(size), 3) / 5, Math.max(odd(size), 3)),
  },
  box: { label: 'box: the mean', make: (size) => image.box(size) },
  counting: { label: '1, 2, 3 …', make: (size) => counting(size, size) },
  identity: { label: 'identity', make: (size) => one(size, size) },
};

export const KERNEL_NAMES: readonly string[] = Object.keys(KERNELS);

export function kernelLabel(name: string): string {
  return KERNELS[name].label;
}

/**
 * A kernel by name as weights for the channels, [oc, ic/groups, kh, kw]: every slice is the kernel, so that each output
 * channel sums what its input channels give. undefined for another name.
 */
export function namedKernel(
  name: string,
  size: number,
  { oc, ic, groups }: Pick<State, 'oc' | 'ic' | 'groups'>,
): Pick<State, 'kernel' | 'kh' | 'kw' | 'weights'> | undefined {
  if (!Object.hasOwn(KERNELS, name)) return undefined;
  const { data, shape } = KERNELS[name].make(size);
  const [kh, kw] = shape;
  const slices = (oc * ic) / groups;
  const weights = new Float32Array(slices * data.length);
  for (let s = 0; s < slices; s++) weights.set(data, s * data.length);
  return { kernel: name, kh, kw, weights };
}

/** Weights where two shapes overlap: taps keep their places, new slices repeat the first, new taps are 0. */
export function resizeKernel(
  state: State,
  { oc, ic, groups, kh, kw }: Pick<State, 'oc' | 'ic' | 'groups' | 'kh' | 'kw'>,
): Float32Array {
  const per = ic / groups;
  const before = state.ic / state.groups;
  const weights = new Float32Array(oc * per * kh * kw);
  for (let o = 0; o < oc; o++) {
    for (let c = 0; c < per; c++) {
      const slice = (Math.min(o, state.oc - 1) * before + Math.min(c, before - 1)) * state.kh * state.kw;
      for (let p = 0; p < Math.min(kh, state.kh); p++) {
        for (let q = 0; q < Math.min(kw, state.kw); q++)
          weights[((o * per + c) * kh + p) * kw + q] = state.weights[slice + p * state.kw + q];
      }
    }
  }
  return weights;
}

/** What the page opens with. */
export function firstState(): State {
  const channels = { ic: 1, oc: 1, groups: 1 };
  const kernel = namedKernel('sobel-x', 3, channels);
  if (kernel === undefined) throw new Error('expected a kernel of that name');
  return {
    image: 'ring',
    height: 7,
    width: 7,
    ...channels,
    pixels: drawImage('ring', 1, 7, 7),
    ...kernel,
    stride: 1,
    dilation: 1,
    padding: 0,
    paddingMode: 'zeros',
    way: 'im2col',
    pin: undefined,
  };
}

/**
 * The first kernels of a layer, as far as the page has room for them: weights of a stretch of the output channels, input
 * channels and taps.
 */
export function cropKernel(
  { data, shape }: { readonly data: Float32Array; readonly shape: readonly number[] },
  drawn: string,
): Pick<
  State,
  'ic' | 'oc' | 'groups' | 'kh' | 'kw' | 'weights' | 'kernel' | 'height' | 'width' | 'image' | 'pixels'
> {
  const { channels, kernel } = LIMITS;
  const [oc, ic, kh, kw] = shape.map((size, axis) => Math.min(size, (axis < 2 ? channels : kernel).most));
  const weights = new Float32Array(oc * ic * kh * kw);
  let at = 0;
  for (let o = 0; o < oc; o++) {
    for (let c = 0; c < ic; c++) {
      for (let p = 0; p < kh; p++) {
        for (let q = 0; q < kw; q++) weights[at++] = data[((o * shape[1] + c) * shape[2] + p) * shape[3] + q];
      }
    }
  }
  const side = Math.max(8, 2 * Math.max(kh, kw));
  const image = IMAGES.includes(drawn) ? drawn : 'ring';
  const pixels = drawImage(image, ic, side, side);
  return { ic, oc, groups: 1, kh, kw, weights, kernel: 'own', height: side, width: side, image, pixels };
}
