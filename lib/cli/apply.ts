/** `convmat apply`: a kernel on an image file. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { describeShape, mismatch } from '../check.js';
import { conv2d } from '../conv/conv.js';
import { ShapeError } from '../errors.js';
import { writeFile } from '../io/files.js';
import { PADDING_MODES, type PaddingMode } from '../plan/options/axes.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { inFlags, KERNEL_FORMS, readKernel } from './arguments.js';
import { encodeImage, type Image, imageFormat, readImage } from './images.js';
import { print, STANDARD_OUTPUT, writeStandardOutput } from './output.js';
import { withProgress } from './progress.js';

interface ApplyArguments {
  kernel: string;
  output: string;
  format?: string;
  paddingMode: PaddingMode;
  scale: number;
  offset: number;
  absolute?: boolean;
  json?: boolean;
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('Write a number.');
  return value;
}

export function applyCommand(): Command {
  return new Command('apply')
    .description('convolve an image file with a kernel: every colour channel on its own, the size kept')
    .argument('<image>', 'any format that sharp reads')
    .requiredOption('--kernel <kernel>', KERNEL_FORMS)
    .requiredOption(
      '-o, --output <file>',
      'any format that sharp writes, by its ending; - for standard output',
    )
    .option('--format <format>', 'where the ending does not say it; png for standard output')
    .addOption(
      new Option('--padding-mode <mode>', 'what lies past the edge')
        .choices(PADDING_MODES)
        .default('replicate'),
    )
    .option('--scale <number>', 'multiply results', parseNumber, 1)
    .option('--offset <number>', 'then add', parseNumber, 0)
    .option('--absolute', 'take magnitudes first, as for edges')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The kernel is not flipped: results are cross-correlations.

Examples:
  $ convmat apply photo.jpg --kernel gaussian:3 -o blurred.png
  $ convmat apply photo.jpg --kernel sobel-x --absolute -o edges.png
  $ convmat apply photo.jpg --kernel '[[0,-1,0],[-1,5,-1],[0,-1,0]]' -o sharp.png`,
    )
    .action(run);
}

async function run(path: string, options: ApplyArguments): Promise<void> {
  const { output, json } = options;
  const format = await imageFormat(
    output,
    options.format ?? (output === STANDARD_OUTPUT ? 'png' : undefined),
  );
  const kernel = await readKernel(options.kernel);
  if (kernel.shape.length !== 2)
    throw mismatch(ShapeError, '--kernel', '2 axes', describeShape(kernel.shape));
  // sharp would not say which of the many reasons it is.
  await access(path, constants.R_OK);
  const image = await readImage(path);
  const start = performance.now();
  const pixels = await inFlags(FLAGS, () =>
    withProgress('convolving', async () => convolveImage(image, kernel, options)),
  );
  const milliseconds = performance.now() - start;
  const bytes = await encodeImage({ ...image, pixels }, format);
  if (output === STANDARD_OUTPUT) {
    await writeStandardOutput([bytes]);
    return;
  }
  await writeFile(output, [bytes]);
  const [, height, width] = pixels.shape;
  if (json) print(JSON.stringify({ output, width, height, milliseconds }));
  else print(`${output}: ${width}×${height}, convolved in ${milliseconds.toFixed(1)} ms`);
}

const FLAGS = {
  'options.padding': '--kernel',
  'options.paddingMode': '--padding-mode',
  input: 'image',
  weight: '--kernel',
};

/**
 * Every channel by the same kernel. Colours are weighted by their opacity, so that what is hidden does not bleed into what
 * is seen; opacity is averaged as the colours are, by a kernel that averages, and left alone by one that sums to zero.
 */
function convolveImage(image: Image, kernel: Tensor, options: ApplyArguments): Tensor<Float32Array> {
  const { pixels, alpha: hasAlpha } = image;
  const { shape } = pixels;
  const [channels, height, width] = shape;
  const plane = height * width;
  const colours = hasAlpha ? channels - 1 : channels;
  const opacity = hasAlpha ? pixels.data.subarray(colours * plane) : undefined;
  const convolved = convolvePlanes(
    weighted(pixels.data, colours, opacity),
    shape,
    kernel,
    options.paddingMode,
  );
  if (opacity !== undefined) {
    const sum = sumOf(kernel);
    const blurred = convolved.subarray(colours * plane);
    for (let i = 0; i < plane; i++) {
      blurred[i] = sum === 0 ? opacity[i] : Math.min(255, Math.max(0, blurred[i] / sum));
    }
    for (let i = 0; i < colours * plane; i++) {
      const share = blurred[i % plane] / 255;
      convolved[i] = share > 0 ? convolved[i] / share : 0;
    }
  }
  const { scale, offset, absolute } = options;
  for (let i = 0; i < colours * plane; i++) {
    const value = convolved[i];
    convolved[i] = (absolute ? Math.abs(value) : value) * scale + offset;
  }
  return new Tensor(convolved, shape);
}

/** Colours times opacity, and the opacity behind them. */
function weighted(data: Float32Array, colours: number, opacity: Float32Array | undefined): Float32Array {
  if (opacity === undefined) return data;
  const result = data.slice();
  const plane = opacity.length;
  for (let i = 0; i < colours * plane; i++) result[i] *= opacity[i % plane] / 255;
  return result;
}

/** The sum of a kernel's values; 0 where only rounding is left of it. */
function sumOf({ data }: Tensor): number {
  let sum = 0;
  let size = 0;
  for (const value of data) {
    sum += value;
    size += Math.abs(value);
  }
  return Math.abs(sum) <= 1e-6 * size ? 0 : sum;
}

/** The channels are the batch: one kernel of one channel serves them all. */
function convolvePlanes(
  data: Float32Array,
  [channels, height, width]: Shape,
  kernel: Tensor,
  paddingMode: PaddingMode,
): Float32Array {
  const input = new Tensor(data, [channels, 1, height, width]);
  const weight = new Tensor(Float32Array.from(kernel.data), [1, 1, ...kernel.shape]);
  return conv2d(input, weight, { padding: 'same', paddingMode }).data;
}
