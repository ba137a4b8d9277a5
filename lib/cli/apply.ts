/** `convmat apply`: a kernel on an image file. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { describeShape, mismatch } from '../check.js';
import { conv2d } from '../conv/conv.js';
import { ShapeError } from '../errors.js';
import { PADDING_MODES, type PaddingMode } from '../plan/options/axes.js';
import { Tensor } from '../tensor/tensor.js';
import { readKernel } from './arguments.js';
import { readImage, writeImage } from './images.js';
import { KERNEL_NAMES, namedKernel } from './named-kernels.js';
import { withProgress } from './progress.js';

interface ApplyArguments {
  kernel: string;
  output: string;
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
    .requiredOption('--kernel <kernel>', `${KERNEL_NAMES}; inline, as in [[0,1],[1,0]]; or an .npy file`)
    .requiredOption('-o, --output <file>', 'any format that sharp writes, by its ending')
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
  const kernel = namedKernel(options.kernel) ?? (await readKernel(options.kernel));
  if (kernel.shape.length !== 2)
    throw mismatch(ShapeError, '--kernel', '2 axes', describeShape(kernel.shape));
  const { pixels, alpha } = await readImage(path);
  const start = performance.now();
  const result = await withProgress('convolving', async () =>
    convolveColours(pixels, alpha, kernel, options),
  );
  const milliseconds = performance.now() - start;
  await writeImage(options.output, result);
  const [, height, width] = result.shape;
  if (options.json) console.log(JSON.stringify({ output: options.output, width, height, milliseconds }));
  else console.log(`${options.output}: ${width}×${height}, convolved in ${milliseconds.toFixed(1)} ms`);
}

/** Every colour channel by the same kernel; opacity is left alone. */
function convolveColours(
  pixels: Tensor<Float32Array>,
  alpha: boolean,
  kernel: Tensor,
  { paddingMode, scale, offset, absolute }: ApplyArguments,
): Tensor {
  const [channels, height, width] = pixels.shape;
  const plane = height * width;
  const colours = alpha ? channels - 1 : channels;
  // Colours are the batch: one kernel of one channel serves them all.
  const input = new Tensor(pixels.data.subarray(0, colours * plane), [colours, 1, height, width]);
  const weight = new Tensor(Float32Array.from(kernel.data), [1, 1, ...kernel.shape]);
  const convolved = conv2d(input, weight, { padding: 'same', paddingMode });
  const result = pixels.data.slice();
  for (let i = 0; i < colours * plane; i++) {
    const value = convolved.data[i];
    result[i] = (absolute ? Math.abs(value) : value) * scale + offset;
  }
  return new Tensor(result, pixels.shape);
}
