/** How the command line writes shapes, kernels and geometry. */
import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ArgumentError, ConvmatError, FormatError } from '../errors.js';
import { type ArrayRead, readNpy } from '../io/npy.js';
import { PADDING_MODES, type Padding } from '../plan/options/axes.js';
import type { Geometry } from '../plan/options/window.js';
import { type Nested, type Tensor, tensor } from '../tensor/tensor.js';
import { quoted } from '../text.js';
import { KERNEL_NAMES, namedKernel, similarNames } from './named-kernels.js';

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

/** What the --kernel option takes, for its help. */
export const KERNEL_FORMS = `${KERNEL_NAMES}; inline, as in [[1,2],[3,4]]; or an .npy file`;

/** A kernel by its name, written inline as JSON, or of an .npy file: floating point, whatever it is in the file. */
export async function readKernel(text: string): Promise<Tensor> {
  if (text.trimStart().startsWith('[')) {
    return inFlags({ data: '--kernel' }, () => tensor(parseNested(text), undefined, 'float64'));
  }
  const kernel = namedKernel(text) ?? (await readKernelFile(text));
  return isFloat(kernel) ? kernel : tensor(kernel.data, kernel.shape, 'float64');
}

function isFloat({ dtype }: Tensor): boolean {
  return dtype === 'float32' || dtype === 'float64';
}

async function readKernelFile(text: string): Promise<Tensor> {
  // A name that is misspelt is no file that is missing.
  if (!existsSync(text) && !/[./\\]/.test(text)) {
    const similar = similarNames(text);
    const hint = similar.length > 0 ? ` (is it ${similar.join(' or ')}?)` : '';
    throw new ArgumentError(`--kernel: expected ${KERNEL_FORMS}, got ${quoted(text)}${hint}`);
  }
  const kernel = await readNpy<ArrayRead>(text, { int64: 'float64' });
  if ('re' in kernel)
    throw new FormatError(`--kernel: expected real numbers, got complex ones in ${quoted(text)}`);
  return kernel;
}

function parseNested(text: string): Nested {
  try {
    return JSON.parse(text) as Nested;
  } catch (cause) {
    const expected = 'nested arrays such as [[1,2],[3,4]]';
    throw new FormatError(`--kernel: expected ${expected}, got ${quoted(text)}`, { cause });
  }
}

/**
 * Runs work; where an error of the library begins with one of these arguments, such as options.inputShape, it then
 * begins with the flag.
 */
export async function inFlags<R>(
  flags: Readonly<Record<string, string>>,
  work: () => R | Promise<R>,
): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ConvmatError) {
      const [argument] = /^[\w.]*/.exec(error.message) ?? [''];
      if (Object.hasOwn(flags, argument))
        error.message = `${flags[argument]}${error.message.slice(argument.length)}`;
    }
    throw error;
  }
}

/** What the options of geometry are called. */
export const GEOMETRY_FLAGS: Readonly<Record<string, string>> = {
  'options.stride': '--stride',
  'options.padding': '--padding',
  'options.paddingMode': '--padding-mode',
  'options.dilation': '--dilation',
  'options.groups': '--groups',
};

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
