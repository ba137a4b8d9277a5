/** Runs the @example of every docstring: it must not throw, and give what the comment behind it says. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as convmat from 'convmat';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as models from '../support/models';
import { random } from '../support/random';

const { io, nn, tensor } = convmat;
const ort = createRequire(import.meta.url)(
  '../../dist/ort/index.js',
) as typeof import('../../dist/ort/index.js');
const lib = join(import.meta.dirname, '../../lib');
const scratch = mkdtempSync(join(tmpdir(), 'convmat-examples-'));
// Examples read and write where they stand.
const home = process.cwd();
beforeAll(() => process.chdir(scratch));
afterAll(() => {
  process.chdir(home);
  rmSync(scratch, { recursive: true });
});

interface Example {
  readonly place: string;
  readonly code: string;
}

/** From the tag to the next one, an empty line, or a line that begins with a word and a colon at the comment's margin. */
function examplesIn(path: string): Example[] {
  const lines = readFileSync(join(lib, path), 'utf8').split('\n');
  const examples: Example[] = [];
  lines.forEach((line, at) => {
    const first = line.match(/^\s*\* @example ?(.*)$/);
    if (first === null) return;
    const code = [first[1]];
    for (const next of lines.slice(at + 1)) {
      const inside = next.match(/^\s*\*(?!\/| ?(?:@|Source:|Accuracy:)) ?(.*\S.*)$/);
      if (inside === null) break;
      code.push(inside[1]);
    }
    examples.push({ place: `${path}:${at + 1}`, code: code.join('\n').trim() });
  });
  return examples;
}

const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const examples = files.sort().flatMap(examplesIn);

/** What examples take for given: a batch of images, a kernel, and files of the names that they read. */
const image = random([1, 3, 32, 32]);
const weight = random([8, 3, 3, 3]);
const net = new nn.Sequential(new nn.Conv2d(1, 6, 3, { seed: 1 }));
const given = {
  image,
  weight,
  out: tensor(new Float32Array(8 * 32 * 32), [1, 8, 32, 32]),
  images: random([4, 1, 32, 32]),
  labels: Uint8Array.of(0, 1, 1, 0),
  prediction: tensor([[0.5, 2]]),
  logits: tensor([[2, 1]]),
  dataset: new convmat.data.TensorDataset(random([4, 2]), Uint8Array.of(0, 1, 1, 0)),
  kernel: tensor([
    [1, 2],
    [3, 4],
  ]),
  A: convmat.CsrMatrix.fromDense([
    [2, 0],
    [0, 4],
  ]),
  t: random([4, 5, 6]),
  features: random([1, 64, 4, 4]),
  positions: random([1, 2, 4, 4]),
  p: Float64Array.of(0.25, 0.5, 0.25),
  net,
  state: net.stateDict(),
  parameters: net.parameters(),
  console: { log: () => {} },
  fetch: async () => new Response(),
  url: 'http://localhost/result.npy',
  result: weight,
};

beforeAll(async () => {
  await io.writeNpy(join(scratch, 'weights.npy'), weight);
  await io.writeNpz(join(scratch, 'model.npz'), { weight, bias: random([8]) });
  await io.writeSafetensors(join(scratch, 'model.safetensors'), net.stateDict());
  await io.writeMatrixMarket(join(scratch, 'matrix.mtx'), given.A);
  await io.writeSparseNpz(join(scratch, 'matrix.npz'), given.A);
  const shape = [1, 3, 32, 32];
  const model = models.modelBytes({
    nodes: [models.node('Relu', ['image'], ['logits'])],
    inputs: [models.value('image', shape)],
    outputs: [models.value('logits', shape)],
  });
  writeFileSync(join(scratch, 'model.onnx'), model);
});

const AsyncFunction = (async () => {}).constructor as FunctionConstructor;

/** What stands for the same names in some rooms. */
const byte = { signed: true, wordLength: 8, fractionLength: 4 };
const { fi } = convmat.fixed;
const givenIn: Record<string, Record<string, unknown>> = {
  image: {
    image: convmat.image,
    grey: random([1, 1, 32, 32]),
    pixels: { data: new Uint8Array(8 * 6 * 3), width: 8, height: 6, channels: 3 },
    blur: convmat.prepareConv(tensor(Array(3).fill([convmat.image.gaussian(1, 5).toNested()])), {
      groups: 3,
    }),
  },
  fixed: { ...convmat.fixed, image: given.kernel, x: fi([1, 2], byte), y: fi([3, 4], byte) },
  'fixed/conv2d.ts': {
    image: fi(random([3, 8, 8]), byte),
    weight: fi(random([4, 3, 3, 3]), byte),
    bias: fi([0, 0, 0, 0], byte),
  },
  operators: convmat.operators,
  'tensor/tensor.ts': { image: random([32, 32, 3]) },
  onnx: convmat.onnx,
  ort,
  signal: convmat.signal,
  'errors.ts': convmat.operators,
  quantized: {
    weight: tensor(new Int8Array(8 * 3 * 3 * 3), [8, 3, 3, 3]),
    image: tensor(new Uint8Array(3 * 32 * 32), [1, 3, 32, 32]),
  },
};

/** The value of an example that is an expression; of statements, undefined. `using` needs a newer Node.js than the library. */
async function evaluate({ place, code }: Example): Promise<unknown> {
  const local = code.replaceAll(/\s*\/\/[^\n]*/g, '').replaceAll(/\busing (?=\w+ =)/g, 'const ');
  const [file] = place.split(':');
  const scope = { ...convmat, ...given, ...givenIn[file.split('/')[0]], ...givenIn[file] };
  const program = (body: string) => new AsyncFunction(...Object.keys(scope), body);
  let run: ReturnType<typeof program>;
  try {
    run = program(`return (${local.trim().replace(/;$/, '')});`);
  } catch {
    run = program(`{ ${local} }`);
  }
  return run(...Object.values(scope));
}

/** Plain numbers and arrays. */
function plain(value: unknown): unknown {
  if (value instanceof convmat.Tensor) return value.toNested();
  if (ArrayBuffer.isView(value)) return plain(Array.from(value as Float64Array));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
  // As comments give numbers, to some digits.
  return typeof value === 'number' ? Number(value.toPrecision(6)) + 0 : value;
}

/** The value of a literal, with the class of its array before it perhaps; undefined where the comment is prose. */
function literal(text: string): unknown {
  const [, digits] = text.match(/^(?:\w+Array )?([[{\d-][\s\S]*|true|false)$/) ?? [];
  try {
    return digits === undefined ? undefined : new Function(`return (${digits})`)();
  } catch {
    return undefined;
  }
}

test('docstrings have examples', () => expect(examples.length).toBeGreaterThan(150));

test.each(examples)('$place', async (example) => {
  const value = await evaluate(example);
  const [, told] = example.code.match(/ {2,}\/\/ (.*)$/) ?? [];
  if (told === undefined) return;
  const shape = told.match(/→ \[([\d, ]+)\]$/);
  if (shape) expect((value as convmat.Tensor).shape).toEqual(shape[1].split(', ').map(Number));
  const expected = literal(told);
  if (expected !== undefined) expect(plain(value)).toEqual(plain(expected));
});
