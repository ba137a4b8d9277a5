/** `convmat inspect`: what is in an ONNX file. */
import { Command } from 'commander';
import { type Model, readModel } from '../onnx/index.js';
import { type NetworkArguments, shapeOption, shapesOf } from './network-arguments.js';
import { print } from './output.js';

export function inspectCommand(): Command {
  return shapeOption(
    new Command('inspect')
      .description('list the nodes of an ONNX model: operators, shapes, parameters, multiplications')
      .argument('<model>', 'an .onnx file'),
  )
    .addHelpText('after', '\nExample:\n  $ convmat inspect model.onnx --shape x=1x3x224x224')
    .action(run);
}

async function run(path: string, options: NetworkArguments): Promise<void> {
  const model = await readModel(path);
  const summary = model.summary(shapesOf(model, options));
  const { opset, producer, inputs, outputs } = model;
  if (options.json) print(JSON.stringify({ opset, producer, inputs, outputs, nodes: summary.rows }, null, 2));
  else print(`${headOf(model)}\n\n${summary}`);
}

function headOf({ opset, producer, inputs, outputs }: Model): string {
  const shown = (values: Model['inputs']) =>
    values
      .map(({ name, dtype, shape }) => `${name} ${dtype}[${shape.map((size) => size ?? '?').join(', ')}]`)
      .join(', ');
  return `opset ${opset}, by ${producer || 'unknown'}\ninputs: ${shown(inputs)}\noutputs: ${shown(outputs)}`;
}
