/** The arithmetic of shapes as sentences, for `summary`. */
import { type Axis, extent } from '../plan/options/axes.js';
import type { Window } from '../plan/options/window.js';

/** Sizes as people write them: «3×3». */
export function by(sizes: readonly (number | string)[]): string {
  return sizes.join('×');
}

/** The options of a convolution that matter, in words. */
export function describeGeometry(
  inChannels: number,
  outChannels: number,
  { kernel, stride, dilation, padding, paddingMode, groups }: Window,
): string[] {
  const words = [`${inChannels} → ${outChannels}`, by(kernel)];
  if (stride.some((s) => s !== 1)) words.push(`stride ${by(stride)}`);
  if (padding.some(([before, after]) => before + after > 0)) {
    words.push(
      `padding ${by(padding.map(([before, after]) => (before === after ? before : `${before}+${after}`)))}`,
    );
    if (paddingMode !== 'zeros') words.push(paddingMode);
  }
  if (dilation.some((d) => d !== 1)) words.push(`dilation ${by(dilation)}`);
  if (groups !== 1) words.push(`groups ${groups}`);
  return words;
}

const AXIS_NAMES = ['depth', 'height', 'width'];

/** What a sliding window makes of each axis; axes that are alike share a sentence. */
export function explainAxes(axes: readonly Axis[]): string {
  return eachAxis(axes, explainAxis);
}

/** What a transposed convolution makes of each axis: those of the convolution that it is the adjoint of. */
export function explainTransposed(axes: readonly Axis[]): string {
  return eachAxis(axes, ({ in: result, kernel, stride, dilation, padBefore, padAfter, out: size }) => {
    const reach = extent(kernel, dilation);
    const padding = padBefore + padAfter;
    const added = result + padding - (size - 1) * stride - reach;
    const terms = [`(${size} − 1)·${stride} + ${reach}`];
    if (padding > 0) terms.push(` − ${padding}`);
    if (added > 0) terms.push(` + ${added}`);
    return `${terms.join('')} = ${result} (each of ${size} spreads over ${reach}, ${stride} apart)`;
  });
}

/** Axes of which the same is to be said share the sentence. */
function eachAxis(axes: readonly Axis[], say: (axis: Axis) => string): string {
  const names = axes.length === 1 ? ['length'] : AXIS_NAMES.slice(-axes.length);
  const sentences = new Map<string, string[]>();
  axes.forEach((axis, i) => {
    const sentence = say(axis);
    sentences.set(sentence, [...(sentences.get(sentence) ?? []), names[i]]);
  });
  return [...sentences].map(([sentence, which]) => `${which.join(' and ')}: ${sentence}`).join('; ');
}

/** «⌊(13 − 2)/2⌋ + 1 = 6 (windows of 2, side by side, reach 12 of 13: 1 left over)». */
function explainAxis({ in: size, kernel, stride, dilation, padBefore, padAfter, out }: Axis): string {
  const reach = extent(kernel, dilation);
  const padding = padBefore + padAfter;
  const room = `${size}${padding > 0 ? ` + ${padding}` : ''} − ${reach}`;
  const covered = (out - 1) * stride + reach;
  const left = size + padding - covered;
  const [open, close] = left < 0 ? '⌈⌉' : '⌊⌋';
  const formula = stride === 1 ? `${room} + 1 = ${out}` : `${open}(${room})/${stride}${close} + 1 = ${out}`;
  const taps = dilation === 1 ? `${kernel}` : `${kernel} taps that span ${reach}`;
  const padded = `${size + padding}${padding > 0 ? ` (${padding} of them padding)` : ''}`;
  return `${formula} (${stride === 1 ? everyStart(taps, reach, padded) : strided()})`;

  function strided(): string {
    const step = stride === reach ? 'side by side' : `one every ${stride}`;
    const rest =
      left > 0
        ? `reach ${covered} of ${padded}: ${left} left over`
        : left < 0
          ? `reach ${-left} past the end of ${padded}`
          : `reach all ${padded}`;
    return `windows of ${taps}, ${step}, ${rest}`;
  }
}

function everyStart(taps: string, reach: number, padded: string): string {
  return reach === 1
    ? `a window of ${taps} starts at each of ${padded}`
    : `a window of ${taps} starts at each of ${padded} but the last ${reach - 1}`;
}
