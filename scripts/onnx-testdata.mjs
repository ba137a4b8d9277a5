/**
 * Runs the models of few operators that ONNX's own tests are made of (Debian's libonnx-testdata, or a folder like it),
 * and tells for each operator how many pass, and of those that do not why.
 *
 *   node scripts/onnx-testdata.mjs [--data FOLDER] [--only OPERATOR] [--json]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const { decodeTensorFile } = require('../dist/onnx-file/file.js');
const { fromBfloat16 } = require('../dist/onnx-file/half.js');
const { prepareNetwork, readModel } = require('../dist/onnx/index.js');
const { OPERATORS } = require('../dist/graph/operators/index.js');

export const TEST_DATA = '/usr/share/libonnx-testdata/data';
const GROUPS = ['node', 'pytorch-converted', 'pytorch-operator'];

/** ONNX's own tolerances: |actual − expected| ≤ ABSOLUTE + RELATIVE·|expected|. */
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-7;

/** The models of a folder, as «group/name». */
export function casesIn(folder) {
  return GROUPS.filter((group) => existsSync(join(folder, group))).flatMap((group) =>
    readdirSync(join(folder, group))
      .filter((name) => existsSync(join(folder, group, name, 'model.onnx')))
      .map((name) => `${group}/${name}`)
      .sort(),
  );
}

/**
 * Runs one model on all of its data.
 * @returns its operators, whether all of them are supported, and why it fails; null when it does not.
 */
export async function runCase(folder, name) {
  const model = await readModel(join(folder, name, 'model.onnx'));
  const operators = [...new Set(model.nodes.map(({ opType }) => opType))];
  const supported = operators.every((operator) => OPERATORS.has(operator));
  const reason = supported ? await failure(join(folder, name), model) : 'other operators';
  return { name, operators, supported, reason };
}

async function failure(folder, model) {
  let network;
  try {
    network = await prepareNetwork(model);
    for (const set of readdirSync(folder).filter((entry) => entry.startsWith('test_data_set_'))) {
      const inputs = readTensors(join(folder, set), 'input');
      const expected = readTensors(join(folder, set), 'output');
      const feeds = network.inputs.flatMap((info, i) =>
        i < inputs.length ? [[info.name, viewOf(inputs[i], info)]] : [],
      );
      const results = await network.runViews(new Map(feeds));
      for (const [i, info] of network.outputs.entries()) {
        const difference = compare(results.get(info.name), viewOf(expected[i], info));
        if (difference !== null) return `${info.name}: ${difference}`;
      }
    }
    return null;
  } catch (error) {
    return error.message;
  } finally {
    network?.dispose();
  }
}

function readTensors(folder, kind) {
  const count = readdirSync(folder).filter((name) => name.startsWith(`${kind}_`)).length;
  return Array.from({ length: count }, (_, i) => {
    const file = join(folder, `${kind}_${i}.pb`);
    return decodeTensorFile(readFileSync(file), file);
  });
}

/** A tensor of the data as the graph has it. Where the model says bfloat16, the data are the bits as uint16. */
function viewOf(tensor, { dtype }) {
  const { type } = tensor.fileType;
  const elements = tensor.elements();
  const bits = dtype === 'bfloat16' && type === 'uint16';
  return {
    type: bits ? 'float32' : type,
    shape: tensor.dims,
    data: bits ? Float32Array.from(elements, fromBfloat16) : elements,
  };
}

function compare(actual, expected) {
  if (actual === undefined) return 'no result';
  if (actual.shape.join() !== expected.shape.join())
    return `shape [${actual.shape}], expected [${expected.shape}]`;
  if (actual.type !== expected.type) return `type ${actual.type}, expected ${expected.type}`;
  for (let i = 0; i < expected.data.length; i++) {
    const [a, b] = [actual.data[i], expected.data[i]];
    if (Object.is(a, b) || a === b) continue;
    if (!(Math.abs(a - b) <= ABSOLUTE + RELATIVE * Math.abs(b))) return `element ${i}: ${a}, expected ${b}`;
  }
  return null;
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      data: { type: 'string', default: TEST_DATA },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const counts = {};
  const failures = [];
  let others = 0;
  let passed = 0;
  for (const name of casesIn(options.data)) {
    const result = await runCase(options.data, name);
    if (options.only !== undefined && !result.operators.includes(options.only)) continue;
    if (!result.supported) {
      others++;
      continue;
    }
    if (result.reason === null) passed++;
    else failures.push(result);
    for (const operator of result.operators) {
      counts[operator] ??= { passed: 0, models: 0 };
      counts[operator].models++;
      if (result.reason === null) counts[operator].passed++;
    }
  }
  if (options.json) {
    console.log(JSON.stringify({ passed, others, operators: counts, failures }));
    return;
  }
  for (const operator of Object.keys(counts).sort())
    console.log(
      `${operator.padEnd(22)} ${String(counts[operator].passed).padStart(4)} of ${counts[operator].models}`,
    );
  for (const { name, reason } of failures) console.log(`${name}: ${reason}`);
  console.log(
    `${passed} models pass, ${failures.length} do not, ${others} have operators that are not supported`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
