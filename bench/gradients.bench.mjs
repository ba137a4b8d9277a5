// Gradients of convolutions in their input and their weight beside PyTorch's: interleaved in rounds, each contender in a
// process of its own, answers checked before they are timed. Milliseconds, ratios of medians and of minima.
//
//   node bench/gradients.bench.mjs [--threads 1] [--batch 1] [--rounds 9] [--ms 100] [--only <part of a name>]
//
// PyTorch is Debian's python3-torch; it computes each gradient by torch.ops.aten.convolution_backward, and both in one call.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Contender, node } from './contenders.mjs';
import { needPython } from './python.mjs';
import { figuresOf } from './timing.mjs';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '1' },
    batch: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '9' },
    ms: { type: 'string', default: '100' },
    only: { type: 'string', default: '' },
  },
});

/** Of ResNet-50: channels in and out, size of the input, kernel, stride. */
const LAYERS = [
  { name: '3×3, 64@56', ic: 64, oc: 64, size: 56, kernel: 3, stride: 1 },
  { name: '3×3, 128@28', ic: 128, oc: 128, size: 28, kernel: 3, stride: 1 },
  { name: '3×3, 256@14', ic: 256, oc: 256, size: 14, kernel: 3, stride: 1 },
  { name: '3×3, 512@7', ic: 512, oc: 512, size: 7, kernel: 3, stride: 1 },
  { name: '3×3 stride 2, 128@56', ic: 128, oc: 128, size: 56, kernel: 3, stride: 2 },
  { name: '7×7 stride 2, 3 → 64@224', ic: 3, oc: 64, size: 224, kernel: 7, stride: 2 },
  { name: '1×1, 256 → 64@56', ic: 256, oc: 64, size: 56, kernel: 1, stride: 1 },
].filter(({ name }) => name.includes(options.only));
/** 'both' is the sum of the two for a library that has no call for both. */
const WHAT = ['input', 'weight', 'both'];
/** Of the largest magnitude: float32 sums of up to 50,000 products, in different orders and by Winograd. */
const ALLOWED = 2e-5;

const python = needPython('torch');
const peer = fileURLToPath(new URL('./peers/gradients/pytorch.py', import.meta.url));
const contenders = {
  convmat: node('gradients/convmat'),
  pytorch: { command: python, args: [peer], env: {} },
};
const folder = mkdtempSync(join(tmpdir(), 'convmat-bench-'));
const running = Object.entries(contenders).map(
  ([name, how]) => new Contender(name, Number(options.threads), how),
);
try {
  console.log(`Gradients, batch ${options.batch}, ${options.threads} thread(s), ms: median (minimum)`);
  for (const layer of LAYERS) await race({ ...layer, batch: Number(options.batch) });
} finally {
  for (const contender of running) contender.stop();
  rmSync(folder, { recursive: true });
}

async function race(layer) {
  const { batch, ic, oc, size, kernel, stride, name } = layer;
  const padding = kernel >> 1;
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const problem = { batch, ic, oc, size, kernel, stride, padding, out };
  writeNoise('x', batch * ic * size * size);
  writeNoise('w', oc * ic * kernel * kernel);
  writeNoise('g', batch * oc * out * out);
  for (const contender of running)
    await contender.ask({ do: 'prepare', folder, as: contender.name, ...problem });
  for (const what of ['input', 'weight']) verify(name, what);

  const samples = new Map(running.map((contender) => [contender.name, { input: [], weight: [], both: [] }]));
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const contender of running) {
      for (const what of WHAT) {
        const answer = await contender.ask({ do: 'time', what, ms: Number(options.ms) });
        samples.get(contender.name)[what].push(answer);
      }
    }
  }
  const [own, theirs] = running.map((contender) => samples.get(contender.name));
  console.log(`\n${name}`);
  for (const what of WHAT) {
    const [a, b] = [figuresOf(own[what]), figuresOf(theirs[what])];
    const ratio = `${(b.median / a.median).toFixed(2)}× (${(b.min / a.min).toFixed(2)}×)`;
    console.log(`  ${what.padEnd(7)} convmat ${show(a)}   PyTorch ${show(b)}   ${ratio} as fast`);
  }
  // Where calling for each in turn is the faster, that is what is to be beaten.
  const separate = {
    median: figuresOf(theirs.input).median + figuresOf(theirs.weight).median,
    min: figuresOf(theirs.input).min + figuresOf(theirs.weight).min,
  };
  const sum = figuresOf(own.both);
  const ratio = `${(separate.median / sum.median).toFixed(2)}× (${(separate.min / sum.min).toFixed(2)}×)`;
  console.log(`  both, PyTorch's calls one after the other: ${show(separate)}   ${ratio} as fast`);
}

function writeNoise(name, length) {
  writeFileSync(
    join(folder, `${name}.f32`),
    Float32Array.from({ length }, () => 2 * Math.random() - 1),
  );
}

function verify(layer, what) {
  const [a, b] = running.map(({ name }) => {
    const bytes = readFileSync(join(folder, `${name}.${what}.f32`));
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  });
  const largest = b.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (a.length !== b.length) throw new Error(`${layer}, ${what}: ${a.length} elements, not ${b.length}`);
  for (let i = 0; i < a.length; i++) {
    if (!(Math.abs(a[i] - b[i]) <= ALLOWED * largest))
      throw new Error(`${layer}, ${what}: ${a[i]} at ${i}, not ${b[i]}`);
  }
}

function show({ median, min }) {
  return `${median.toFixed(2)} (${min.toFixed(2)})`;
}
