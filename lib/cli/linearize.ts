/** `convmat linearize`: a network as matrices, in a folder for SciPy or as ONNX of dense layers. */
import { extname } from 'node:path';
import { Command } from 'commander';
import { linearize, readModel, writeModel } from '../onnx/index.js';
import { type NetworkArguments, shapeOption, shapesOf } from './network-arguments.js';
import { print } from './output.js';
import { withProgress } from './progress.js';

interface LinearizeArguments extends NetworkArguments {
  output?: string;
  merge: boolean;
}

export function linearizeCommand(): Command {
  return shapeOption(
    new Command('linearize')
      .description('a network as matrices: every affine operator is y = M·x + b, the others stay by name')
      .argument('<model>', 'an .onnx file'),
  )
    .option(
      '-o, --output <path>',
      'an .onnx file of dense layers, or a folder of network.json and .npz files',
    )
    .option('--no-merge', 'a matrix for each affine operator, instead of one for each chain')
    .addHelpText(
      'after',
      `
Examples:
  $ convmat linearize model.onnx                       # sizes, sparse and dense
  $ convmat linearize model.onnx -o dense.onnx
  $ convmat linearize model.onnx -o matrices/ --shape x=1x3x64x64`,
    )
    .action(run);
}

async function run(path: string, options: LinearizeArguments): Promise<void> {
  const { output, merge, json } = options;
  const model = await readModel(path);
  const inputShapes = shapesOf(model, options);
  const network = await withProgress('linearizing', (onProgress) =>
    linearize(model, { inputShapes, merge, onProgress }),
  );
  if (output !== undefined && extname(output) === '.onnx') await writeModel(output, network.toModel());
  else if (output !== undefined)
    await withProgress('writing', (onProgress) => network.write(output, { onProgress }));
  if (!json) {
    print(output === undefined ? `${network}` : `${output}: ${network.stages.length} stages`);
    return;
  }
  const stages = network.stages.map((stage) =>
    stage.kind === 'operator'
      ? {
          kind: stage.kind,
          opType: stage.opType,
          output: stage.output,
          outputShape: stage.outputShape,
          inputs: stage.inputs,
        }
      : {
          kind: stage.kind,
          output: stage.output,
          outputShape: stage.outputShape,
          terms: stage.terms.map(({ input, matrix }) => ({
            input,
            shape: matrix.shape,
            ...('nnz' in matrix && { nnz: matrix.nnz }),
          })),
        },
  );
  print(JSON.stringify({ output, stages }, null, 2));
}
