/** What the algorithms of a convolution are made of, and what they run on. */
import { product } from '../../numbers.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { ConvOperands } from '../backend.js';
import type { Direction } from './direction.js';
import type { Lattice } from './gather.js';
import type { Work } from './work.js';

/** One lattice of a convolution with its weights: everything that does not depend on the data. */
export interface Part {
  readonly direction: Direction;
  readonly lattice: Lattice;
  readonly operands: ConvOperands;
  /** Whether it is going to run more than once. */
  readonly isReused: boolean;
}

/** One image to be convolved into another. */
export interface Job {
  readonly input: FloatArray;
  /** Which image of the input, and of the output. */
  readonly inputImage: number;
  readonly output: FloatArray;
  readonly outputImage: number;
  /** The most multiplications in one unit of the work, if the least that can be done at a time is that few. */
  readonly unitSize: number;
}

export type ImageConvolution = (job: Job) => Work;

/** Where the first channel of a group begins in the input. */
export function sourceOrigin({ direction }: Part, { inputImage }: Job, group: number): number {
  const { groups, sourceChannels, source } = direction;
  return (inputImage * groups + group) * sourceChannels * product(source);
}

/** The plane of the output that a channel is written to; channels are counted over all groups. */
export function writtenPlane({ direction }: Part, { outputImage }: Job, channel: number): number {
  return outputImage * direction.groups * direction.writtenChannels + channel;
}

/** Where the weights of a written channel begin; channels are counted over all groups. */
export function weightOrigin({ direction, operands }: Part, channel: number): number {
  const { groups, writtenChannels, writtenStride } = direction;
  const group = Math.floor(channel / writtenChannels);
  return (group * operands.weight.length) / groups + (channel % writtenChannels) * writtenStride;
}

/** What is added to every sum of a channel. */
export function biasOf({ bias }: Pick<ConvOperands, 'bias'>, channel: number): number {
  return bias === null ? 0 : bias[channel];
}
