/** How the command line writes shapes, kernels and geometry. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { FormatError } from '../errors.js';
import { readNpy } from '../io/npy.js';
import { PADDING_MODES, type Padding } from '../plan/options/axes.js';
import type { Geometry } from '../plan/options/window.js';
import { type Nested, type Tensor, tensor } from '../tensor/tensor.js';

/** `3x224x224` */
export function parseShape(text: string): number[] {
  if (!/^\d+(x\d+)*$/.test(text))
    throw new InvalidArgumentError("Write sizes with an x between them, as in '3x32x32'.");
  return text.split('x').map(Number);
}

function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Write one number.');
  return Number(text);
}

/** `2`, or `2,1`: one number per axis. */
function parseAxes(text: string): number | number[] {
  if (!/^\d+(,\d+)*$/.test(text))
    throw new InvalidArgumentError("Write one number, or one per axis, as in '2,1'.");
  const numbers = text.split(',').map(Number);
  return numbers.length === 1 ? numbers[0] : numbers;
}

/** `1`, `1,2`, `0:1,2:2` (before:after per axis), `same` or `valid`. */
function parsePadding(text: string): Padding {
  if (text === 'same' || text === 'valid') return text;
  if (!text.includes(':')) return parseAxes(text);
  const pairs = text.split(',').map((pair) => pair.split(':'));
  if (!pairs.every((pair) => pair.length === 2 && pair.every((side) => /^\d+$/.test(side)))) {
    throw new InvalidArgumentError("Write before:after for each axis, as in '0:1,2:2'.");
  }
  return pairs.map(([before, after]) => [Number(before), Number(after)] as const);
}

/** A kernel written inline as JSON, or the path of an .npy file. */
export async function readKernel(text: string): Promise<Tensor> {
  if (!text.trimStart().startsWith('[')) return readNpy(text);
  let nested: unknown;
  try {
    nested = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`--kernel: expected nested arrays such as [[1,2],[3,4]], got ${text}`, { cause });
  }
  return tensor(nested as Nested, undefined, 'float64');
}

/** Adds the options of a convolution's geometry to a command. */
export function geometryOptions(command: Command, paddingMode = 'zeros'): Command {
  return command
    .option('--stride <n>', 'distance between outputs: one number, or one per axis', parseAxes)
    .option(
      '--padding <n>',
      "one number, one per axis, before:after per axis, 'same' or 'valid'",
      parsePadding,
    )
    .addOption(
      new Option('--padding-mode <mode>', 'what the padding holds')
        .choices(PADDING_MODES)
        .default(paddingMode),
    )
    .option('--dilation <n>', 'distance between taps: one number, or one per axis', parseAxes)
    .option('--groups <n>', 'groups of channels', parseCount);
}

/** The geometry among a command's parsed options. */
export function geometryOf(options: Geometry): Geometry {
  const { stride, padding, paddingMode, dilation, groups } = options;
  return { stride, padding, paddingMode, dilation, groups };
}
