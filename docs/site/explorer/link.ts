/** The state as a link: what differs from how the page opens, after the #. */

import { nameOfPoint, pointNamed } from './point.js';
import { drawImage, firstState, namedKernel } from './presets.js';
import { clamp, groupChoices, LIMITS, MOST_GREY, PADDING_MODES, type State, WAYS } from './state.js';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Three pixels of one digit each are a number below 1000, two characters of six bits. */
function packPixels(pixels: Uint8Array): string {
  let text = '';
  for (let i = 0; i < pixels.length; i += 3) {
    const three = 100 * pixels[i] + 10 * (pixels[i + 1] ?? 0) + (pixels[i + 2] ?? 0);
    text += DIGITS[three >> 6] + DIGITS[three & 63];
  }
  return text;
}

/** undefined for what packPixels does not make of so many pixels. */
function unpackPixels(text: string, count: number): Uint8Array | undefined {
  if (text.length !== 2 * Math.ceil(count / 3)) return undefined;
  const pixels = new Uint8Array(count);
  for (let i = 0; i < count; i += 3) {
    const at = (2 * i) / 3;
    const three = 64 * DIGITS.indexOf(text[at]) + DIGITS.indexOf(text[at + 1]);
    if (!(three >= 0 && three < 1000) || !DIGITS.includes(text[at + 1])) return undefined;
    const digits = [Math.floor(three / 100), Math.floor(three / 10) % 10, three % 10];
    for (let d = 0; d < 3 && i + d < count; d++) pixels[i + d] = Math.min(digits[d], MOST_GREY);
  }
  return pixels;
}

export function toLink(state: State): string {
  const first = firstState();
  const link = new URLSearchParams();
  const put = (key: string, value: string, usual: string): void => {
    if (value !== usual) link.set(key, value);
  };
  put('size', `${state.height}x${state.width}`, `${first.height}x${first.width}`);
  put('channels', `${state.ic}x${state.oc}`, `${first.ic}x${first.oc}`);
  put('groups', `${state.groups}`, `${first.groups}`);
  if (state.image === 'own') link.set('pixels', packPixels(state.pixels));
  else put('image', state.image, first.image);
  put('taps', `${state.kh}x${state.kw}`, `${first.kh}x${first.kw}`);
  if (state.kernel === 'own')
    link.set('weights', [...state.weights].map((w) => Number(w.toPrecision(7))).join(' '));
  else put('kernel', state.kernel, first.kernel);
  for (const key of ['stride', 'dilation', 'padding'] as const) put(key, `${state[key]}`, `${first[key]}`);
  put('mode', state.paddingMode, first.paddingMode);
  put('way', state.way, first.way);
  if (state.pin !== undefined) link.set('at', nameOfPoint(state.pin));
  return link.toString();
}

function readPair(
  text: string | null,
  limits: { least: number; most: number },
): [number, number] | undefined {
  const found = /^(\d{1,3})x(\d{1,3})$/.exec(text ?? '');
  return found === null ? undefined : [clamp(Number(found[1]), limits), clamp(Number(found[2]), limits)];
}

function readOne(text: string | null, limits: { least: number; most: number }): number | undefined {
  return /^\d{1,3}$/.test(text ?? '') ? clamp(Number(text), limits) : undefined;
}

function readWeights(text: string | null, count: number): Float32Array | undefined {
  const values = text === null ? [] : text.split(' ').map(Number);
  return values.length === count && values.every(Number.isFinite) ? Float32Array.from(values) : undefined;
}

/** The state that a link describes: what it lacks, or what nobody would have written, is as the page opens. */
export function fromLink(hash: string): State {
  const link = new URLSearchParams(hash.replace(/^#/, ''));
  const first = firstState();
  const [height, width] = readPair(link.get('size'), LIMITS.side) ?? [first.height, first.width];
  const [ic, oc] = readPair(link.get('channels'), LIMITS.channels) ?? [first.ic, first.oc];
  const asked = readOne(link.get('groups'), LIMITS.channels) ?? first.groups;
  const groups = groupChoices(ic, oc).includes(asked) ? asked : 1;
  const [kh, kw] = readPair(link.get('taps'), LIMITS.kernel) ?? [first.kh, first.kw];
  const own = unpackPixels(link.get('pixels') ?? '', ic * height * width);
  const image = own === undefined ? (link.get('image') ?? first.image) : 'own';
  const weights = readWeights(link.get('weights'), (oc * ic * kh * kw) / groups);
  const channels = { ic, oc, groups };
  const kernel =
    weights === undefined
      ? (namedKernel(link.get('kernel') ?? first.kernel, kh, channels) ??
        namedKernel(first.kernel, kh, channels))
      : { kernel: 'own', kh, kw, weights };
  return {
    ...first,
    image,
    height,
    width,
    ...channels,
    pixels: own ?? drawImage(image, ic, height, width),
    ...kernel,
    stride: readOne(link.get('stride'), LIMITS.stride) ?? first.stride,
    dilation: readOne(link.get('dilation'), LIMITS.dilation) ?? first.dilation,
    padding: readOne(link.get('padding'), LIMITS.padding) ?? first.padding,
    paddingMode: PADDING_MODES.find((mode) => mode === link.get('mode')) ?? first.paddingMode,
    way: WAYS.find((way) => way === link.get('way')) ?? first.way,
    pin: pointNamed(link.get('at') ?? ''),
  };
}
