/** How the command line gives networks their inputs: files, images, shapes. */
import { extname } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { describe } from '../check.js';
import { ArgumentError } from '../errors.js';
import { readNpy } from '../io/npy.js';
import { readNpz } from '../io/npz.js';
import type { Model, ValueInfo } from '../onnx/index.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { parseShape } from './arguments.js';
import { readImage } from './images.js';

/** What commands on networks share. */
export interface NetworkArguments {
  shape?: Record<string, Shape>;
  json?: boolean;
}

/** What becomes of images on their way in. */
export interface InputArguments extends NetworkArguments {
  input?: string[];
  scale: number;
  mean: number[];
  std: number[];
}

/** `name=1x3x224x224`, or the sizes alone for a network of one input; several times for several inputs. */
function collectShape(text: string, shapes: Record<string, Shape> = {}): Record<string, Shape> {
  const [, name, sizes] = /^(?:(.*)=)?([^=]*)$/.exec(text) ?? [];
  return { ...shapes, [name ?? ONLY_INPUT]: parseShape(sizes ?? '') };
}

/** Stands for the name of a network's only input. */
const ONLY_INPUT = '';

function collect(text: string, list: string[] = []): string[] {
  return [...list, text];
}

function parseNumbers(text: string): number[] {
  const numbers = text.split(',').map(Number);
  if (numbers.some((value) => Number.isNaN(value)) || text.trim() === '')
    throw new InvalidArgumentError("Write one number, or one per channel, as in '0.485,0.456,0.406'.");
  return numbers;
}

function parseNumber(text: string): number {
  const [number, ...more] = parseNumbers(text);
  if (more.length > 0) throw new InvalidArgumentError('Write one number.');
  return number;
}

export function shapeOption(command: Command): Command {
  return command
    .option('--shape <name=sizes>', 'of an input that the file leaves open: x=1x3x224x224', collectShape)
    .option('--json', 'print JSON');
}

export function inputOptions(command: Command): Command {
  return shapeOption(command)
    .option('--input <name=file>', 'an .npy file, an .npz file with all inputs, or an image', collect)
    .option('--scale <number>', 'multiply pixels, 0 to 255', parseNumber, 1 / 255)
    .option('--mean <numbers>', 'then subtract, for each channel', parseNumbers, [0])
    .option('--std <numbers>', 'then divide by, for each channel', parseNumbers, [1]);
}

/** Shapes by the names of the model's inputs. */
export function shapesOf(
  { inputs }: Pick<Model, 'inputs'>,
  { shape = {} }: NetworkArguments,
): Record<string, Shape> {
  return Object.fromEntries(
    Object.entries(shape).map(([name, sizes]) => [
      name === ONLY_INPUT ? onlyInput(inputs).name : name,
      sizes,
    ]),
  );
}

function onlyInput(inputs: readonly ValueInfo[]): ValueInfo {
  const [input, ...more] = inputs;
  if (input === undefined || more.length > 0) {
    const names = inputs.map(({ name }) => describe(name)).join(', ');
    throw new ArgumentError(`--input: expected NAME=FILE for one of ${names}, got no name`);
  }
  return input;
}

/** Tensors for the inputs: from files, and for what no file gives noise of the shape that is known. */
export async function readInputs(
  model: Pick<Model, 'inputs'>,
  options: InputArguments,
): Promise<Record<string, Tensor>> {
  const given: Record<string, Tensor> = {};
  for (const text of options.input ?? []) {
    const [, name, path] = /^(?:([^=]*)=)?(.*)$/s.exec(text) ?? [];
    if (extname(path) === '.npz' && name === undefined) Object.assign(given, await readNpz(path));
    else {
      const input = name === undefined ? onlyInput(model.inputs) : inputNamed(model.inputs, name);
      given[input.name] =
        extname(path) === '.npy' ? await readNpy(path) : await readPixels(path, input, options);
    }
  }
  return given;
}

function inputNamed(inputs: readonly ValueInfo[], name: string): ValueInfo {
  const input = inputs.find((candidate) => candidate.name === name);
  if (input !== undefined) return input;
  const names = inputs.map((candidate) => describe(candidate.name)).join(', ');
  throw new ArgumentError(`--input: expected one of the names ${names}, got ${describe(name)}`);
}

/** An image as a network takes it: [1, 3, H, W], or [1, H, W, 3] where the file says so. Opacity is dropped. */
async function readPixels(
  path: string,
  { name, shape }: ValueInfo,
  { scale, mean, std }: InputArguments,
): Promise<Tensor> {
  if (shape.length !== 4)
    throw new ArgumentError(
      `--input: expected an .npy file for ${name}, which is no image, got ${describe(path)}`,
    );
  const { pixels, alpha } = await readImage(path);
  const [all, height, width] = pixels.shape;
  const channels = alpha ? all - 1 : all;
  const plane = height * width;
  const interleaved = shape[3] === 3 || shape[3] === 1;
  const wanted = interleaved ? shape[3] : shape[1];
  const count = wanted === 1 || wanted === 3 ? wanted : 3;
  const data = new Float32Array(count * plane);
  for (let c = 0; c < count; c++) {
    // A grey image serves every channel.
    const from = Math.min(c, channels - 1) * plane;
    const [offset, divisor] = [mean[c % mean.length], std[c % std.length]];
    for (let i = 0; i < plane; i++)
      data[interleaved ? i * count + c : c * plane + i] = (pixels.data[from + i] * scale - offset) / divisor;
  }
  return new Tensor(data, interleaved ? [1, height, width, count] : [1, count, height, width]);
}

/** Small numbers for inputs whose elements do not matter, of the shapes that the file and the command give. */
export function noiseFor(
  model: Pick<Model, 'inputs'>,
  shapes: Readonly<Record<string, Shape>>,
): Record<string, Tensor> {
  return Object.fromEntries(
    model.inputs.map(({ name, dtype, shape }) => {
      const sizes = shapes[name] ?? shape.map((size) => sizeOf(size, name));
      const count = sizes.reduce((product, size) => product * size, 1);
      const noise = (i: number) => ((i * 7919) % 2003) / 2003;
      const data =
        dtype === 'float' || dtype === 'float16' || dtype === 'bfloat16'
          ? Float32Array.from({ length: count }, (_, i) => noise(i))
          : dtype === 'double'
            ? Float64Array.from({ length: count }, (_, i) => noise(i))
            : dtype === 'uint8' || dtype === 'bool'
              ? new Uint8Array(count)
              : dtype === 'int8'
                ? new Int8Array(count)
                : new Int32Array(count);
      return [name, new Tensor(data, sizes)];
    }),
  );
}

function sizeOf(size: number | string | null, name: string): number {
  if (typeof size === 'number') return size;
  throw new ArgumentError(
    `--shape: expected ${name}=SIZES, since the file leaves ${describe(size)} open, got none`,
  );
}
