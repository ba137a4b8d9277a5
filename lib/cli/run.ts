/** `convmat run`: a network on inputs from files. */
import { extname } from 'node:path';
import { Command, Option } from 'commander';
import { ArgumentError } from '../errors.js';
import { writeNpy } from '../io/npy.js';
import { writeNpz } from '../io/npz.js';
import { prepareNetwork, readModel } from '../onnx/index.js';
import { ACCURACIES, type Accuracy, PRECISIONS, type Precision } from '../plan/algorithms/algorithm.js';
import type { Tensor } from '../tensor/tensor.js';
import { type InputArguments, inputOptions, readInputs, shapesOf } from './network-arguments.js';
import { print } from './output.js';
import { withProgress } from './progress.js';

interface RunArguments extends InputArguments {
  output?: string;
  accuracy: Accuracy;
  precision: Precision;
}

export function runCommand(): Command {
  return inputOptions(
    new Command('run').description('run an ONNX model').argument('<model>', 'an .onnx file'),
  )
    .option('-o, --output <file>', 'write the outputs: .npz, or .npy for a single one')
    .addOption(new Option('--accuracy <accuracy>', 'as of conv2d').choices(ACCURACIES).default('fast'))
    .addOption(new Option('--precision <precision>', 'as of conv2d').choices(PRECISIONS).default('float32'))
    .addHelpText(
      'after',
      `
Examples:
  $ convmat run model.onnx --input x=input.npy -o results.npz
  $ convmat run classifier.onnx --input photo.jpg --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225`,
    )
    .action(run);
}

async function run(path: string, options: RunArguments): Promise<void> {
  const model = await readModel(path);
  const inputs = await readInputs(model, options);
  const network = await prepareNetwork(model, {
    accuracy: options.accuracy,
    precision: options.precision,
    inputShapes: {
      ...shapesOf(model, options),
      ...Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape])),
    },
  });
  const start = performance.now();
  const outputs = await withProgress('running', () => network.runAsync(inputs));
  const milliseconds = performance.now() - start;
  network.dispose();
  if (options.output !== undefined) await writeOutputs(options.output, outputs);
  if (options.json) {
    const shown = Object.entries(outputs).map(([name, { dtype, shape, data }]) => ({
      name,
      dtype,
      shape,
      data: options.output === undefined ? Array.from(data) : undefined,
    }));
    print(JSON.stringify({ milliseconds, outputs: shown }));
    return;
  }
  for (const [name, tensor] of Object.entries(outputs))
    print(`${name} ${tensor.dtype}[${tensor.shape.join(', ')}] ${glance(tensor)}`);
  print(`${options.output === undefined ? '' : `${options.output}: `}run in ${milliseconds.toFixed(1)} ms`);
}

async function writeOutputs(path: string, outputs: Readonly<Record<string, Tensor>>): Promise<void> {
  const tensors = Object.values(outputs);
  if (extname(path) === '.npz') await writeNpz(path, outputs);
  else if (extname(path) === '.npy' && tensors.length === 1) await writeNpy(path, tensors[0]);
  else throw new ArgumentError(`--output: expected an .npz file for ${tensors.length} outputs, got ${path}`);
}

/** A small tensor whole; of a large one the largest elements and where they are. */
function glance({ data }: Tensor): string {
  const text = (value: number) => String(Number(value.toPrecision(6)));
  if (data.length <= SHOWN) return `[${Array.from(data, text).join(', ')}]`;
  let low = data[0];
  let high = data[0];
  for (const value of data) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return `from ${text(low)} to ${text(high)}, largest at ${data.indexOf(high)}`;
}

const SHOWN = 16;
