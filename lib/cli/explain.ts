/** `convmat explain`: what each way of computing a convolution costs, and which one is taken. */
import { Command } from 'commander';
import { explainConv } from '../conv/explain.js';
import type { Geometry } from '../plan/options/window.js';
import { GEOMETRY_FLAGS, geometryOf, geometryOptions, inFlags, parseShape } from './arguments.js';
import { print } from './output.js';

interface ExplainArguments extends Geometry {
  input: number[];
  weight: number[];
  json?: boolean;
}

export function explainCommand(): Command {
  const command = new Command('explain')
    .description('count multiplications, additions and bytes of every way to compute a convolution')
    .requiredOption('--input <shape>', 'of the input, with or without the batch: NxCxHxW', parseShape)
    .requiredOption('--weight <shape>', 'of the weight: OxIxKHxKW', parseShape)
    .option('--json', 'print JSON');
  return geometryOptions(command)
    .addHelpText('after', '\nExample:\n  $ convmat explain --input 1x3x32x32 --weight 32x3x3x3 --padding 1')
    .action(async (options: ExplainArguments) => {
      const flags = {
        ...GEOMETRY_FLAGS,
        input: '--input',
        inputShape: '--input',
        weight: '--weight',
        'weight.shape': '--weight',
      };
      const explanation = await inFlags(flags, () =>
        explainConv(options.input, { shape: options.weight }, geometryOf(options)),
      );
      const { chosen, reason, outputShape, costs } = explanation;
      if (options.json) print(JSON.stringify({ chosen, reason, outputShape, costs }, null, 2));
      else print(`output ${outputShape.join('x')}\n\n${explanation}`);
    });
}
