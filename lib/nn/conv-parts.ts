/** What the convolution layers have in common: sizes, window, and parameters as they begin. */
import { checkBoolean, checkInteger, mismatch } from '../check.js';
import { ArgumentError } from '../errors.js';
import { product } from '../numbers.js';
import { type Axes, perAxis, type Rank } from '../plan/options/axes.js';
import { type Geometry, readWindow, type Window } from '../plan/options/window.js';
import { random } from '../random.js';
import { defaultInit } from './init.js';
import { makeParameter, type Parameter } from './module.js';

/** Geometry, bias and where initial weights come from. */
export interface ConvLayerOptions extends Geometry {
  /** Add a learned bias per output channel. Default true. */
  readonly bias?: boolean;
  /** Of the initial weights; drawn at random when absent. */
  readonly seed?: number;
}

/** What a layer is made with, checked. */
interface ConvParts {
  readonly window: Window;
  readonly geometry: Required<Geometry>;
  readonly weight: Parameter;
  readonly bias: Parameter | null;
}

/**
 * @param order  How the channels of the weight lie: [outChannels, inChannels/groups, …] of a convolution, [inChannels,
 *   outChannels/groups, …] of a transposed one.
 */
export function makeConvParts(
  rank: Rank,
  inChannels: number,
  outChannels: number,
  kernelSize: Axes,
  given: ConvLayerOptions,
  order: 'OI' | 'IO',
): ConvParts {
  checkInteger(inChannels, 'inChannels', 1);
  checkInteger(outChannels, 'outChannels', 1);
  const kernel = perAxis(kernelSize, rank, 'kernelSize', 1);
  const window = readWindow(given, kernel, rank);
  const { stride, dilation, padding, paddingMode, groups } = window;
  for (const [name, channels] of Object.entries({ inChannels, outChannels })) {
    if (channels % groups !== 0)
      throw mismatch(ArgumentError, name, `a multiple of groups (${groups})`, `${channels}`);
  }
  const source = random(given.seed);
  const [first, second] = order === 'OI' ? [outChannels, inChannels] : [inChannels, outChannels];
  const weightShape = [first, second / groups, ...kernel];
  const fanIn = product(weightShape.slice(1));
  const withBias = checkBoolean(given.bias ?? true, 'options.bias');
  return {
    window,
    geometry: Object.freeze({ stride, dilation, padding, paddingMode, groups }),
    weight: makeParameter('weight', defaultInit(weightShape, fanIn, source)),
    bias: withBias ? makeParameter('bias', defaultInit([outChannels], fanIn, source)) : null,
  };
}
