/** `convmat profile`: where the time of a network goes. */
import { Command, InvalidArgumentError } from 'commander';
import { prepareNetwork, readModel } from '../onnx/index.js';
import { type InputArguments, inputOptions, noiseFor, readInputs, shapesOf } from './network-arguments.js';
import { print } from './output.js';

interface ProfileArguments extends InputArguments {
  runs: number;
}

function parseRuns(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('Write how often, from 1 on.');
  return Number(text);
}

export function profileCommand(): Command {
  return inputOptions(
    new Command('profile')
      .description('time the steps of an ONNX model: of each the fastest of some runs')
      .argument('<model>', 'an .onnx file'),
  )
    .option('--runs <n>', 'runs that are timed, behind one that is not', parseRuns, 5)
    .addHelpText('after', '\nExample:\n  $ convmat profile model.onnx --shape x=1x3x224x224')
    .action(run);
}

async function run(path: string, options: ProfileArguments): Promise<void> {
  const model = await readModel(path);
  const shapes = shapesOf(model, options);
  const given = await readInputs(model, options);
  const inputs = {
    ...noiseFor({ inputs: model.inputs.filter(({ name }) => given[name] === undefined) }, shapes),
    ...given,
  };
  const network = await prepareNetwork(model);
  network.run(inputs);
  const profiles = Array.from({ length: options.runs }, () => network.profile(inputs));
  const [first] = profiles;
  const steps = first.steps.map(({ step }, i) => ({
    step,
    ms: Math.min(...profiles.map((profile) => profile.steps[i].ms)),
  }));
  const total = Math.min(...profiles.map((profile) => profile.total));
  const inputShapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const reports = network.explain(inputShapes).steps;
  network.dispose();
  const rows = steps.map(({ step, ms }, i) => ({
    step,
    ms,
    ...(reports[i]?.step === step
      ? { algorithm: reports[i].algorithm, nodes: reports[i].nodes, outputShape: reports[i].outputShape }
      : {}),
  }));
  if (options.json) {
    print(JSON.stringify({ total, steps: rows }, null, 2));
    return;
  }
  const lines = rows.map(({ step, ms, algorithm = '', nodes = [], outputShape = [] }) => [
    `${ms.toFixed(3)} ms`,
    `${((100 * ms) / total).toFixed(1)} %`,
    step,
    algorithm,
    `[${outputShape.join(', ')}]`,
    nodes.join(' + '),
  ]);
  const all = [...lines, [`${total.toFixed(3)} ms`, '100.0 %', 'total', '', '', '']];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  for (const row of all)
    print(
      row
        .map((cell, column) => (column < 2 ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
        .join('  ')
        .trimEnd(),
    );
}
