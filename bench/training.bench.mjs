// One training step (forward, loss, backward, SGD) of LeNet, or of the residual network with momentum and weight decay, at
// batch 64, beside PyTorch and TensorFlow.js (which is there for LeNet alone): interleaved in rounds, each in a process of
// its own. All start from the same weights and batch, and must report the same losses over five steps before they are timed.
//
//   node bench/training.bench.mjs [--network lenet] [--threads 1] [--rounds 5] [--ms 300]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Contender, installed, node, PYTHON } from './contenders.mjs';
import { NETWORKS } from './peers/training/networks.mjs';
import { figuresOf } from './timing.mjs';

const { nn, tensor } = createRequire(import.meta.url)('../dist/index.js');

const { values: options } = parseArgs({
  options: {
    network: { type: 'string', default: 'lenet' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '300' },
  },
});
const { network } = options;
const { title, make } = NETWORKS[network];
const BATCH = 64;
const ALLOWED = 1e-4;

const contenders = {
  convmat: node('training/convmat'),
  'convmat js': node('training/convmat', { CONVMAT_BACKEND: 'js' }),
  ...(PYTHON && {
    pytorch: {
      command: PYTHON,
      args: [fileURLToPath(new URL('./peers/training/pytorch.py', import.meta.url))],
      env: {},
    },
  }),
  ...(network === 'lenet' && installed('@tensorflow/tfjs') && { 'tfjs-cpu': node('training/tfjs') }),
};

const folder = mkdtempSync(join(tmpdir(), 'convmat-bench-'));
const running = Object.entries(contenders).map(
  ([name, how]) => new Contender(name, Number(options.threads), how),
);
/** The losses of each contender that has been verified. */
const reported = [];
const samples = Object.fromEntries(running.map(({ name }) => [name, []]));
try {
  const expected = writeProblem();
  for (const contender of running)
    verify(contender.name, await contender.ask({ do: 'losses', network, folder }), expected);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const contender of running) {
      samples[contender.name].push(await contender.ask({ do: 'time', ms: Number(options.ms) }));
    }
  }
} finally {
  for (const contender of running) contender.stop();
  rmSync(folder, { recursive: true });
}
print();

/** Parameters, images and labels as files; the loss of the first step, in float64. */
function writeProblem() {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const net = make();
  const parameters = net.parameters().map(({ data }) => data);
  const images = Float32Array.from({ length: BATCH * 1024 }, random);
  const labels = Float32Array.from({ length: BATCH }, () => Math.floor(10 * random()));
  writeFileSync(
    join(folder, 'parameters.f32'),
    Float32Array.from(parameters.flatMap(({ data }) => [...data])),
  );
  writeFileSync(join(folder, 'images.f32'), images);
  writeFileSync(join(folder, 'labels.f32'), labels);
  // Counts of batches stay what they are.
  const wide = ([name, t]) => [name, t.dtype === 'float32' ? t.cast('float64') : t];
  net.loadStateDict(Object.fromEntries(Object.entries(net.stateDict()).map(wide)));
  return nn.crossEntropyLoss(net.forward(tensor(Float64Array.from(images), [BATCH, 1, 32, 32])), labels)
    .value;
}

/** The first loss against float64, and all of them against the contender before. */
function verify(name, { losses }, first) {
  const against = [first, ...(reported.at(-1) ?? losses).slice(1)];
  losses.forEach((loss, step) => {
    if (!(Math.abs(loss - against[step]) <= ALLOWED)) {
      throw new Error(`${name}: loss ${loss} at step ${step}, expected ${against[step]}`);
    }
  });
  reported.push(losses);
}

function print() {
  const rows = Object.entries(samples).map(([name, taken]) => ({ name, ...figuresOf(taken) }));
  const [{ median, min }] = rows;
  console.log(`One training step of a ${title}, batch ${BATCH}, ${options.threads} thread(s), ms:`);
  for (const row of rows) {
    const ratios = `${(row.median / median).toFixed(2)} / ${(row.min / min).toFixed(2)}`;
    console.log(
      `${row.name.padEnd(12)} median ${row.median.toFixed(2).padStart(8)}  min ${row.min.toFixed(2).padStart(8)}  ` +
        `convmat is ${ratios} times as fast (median / min)`,
    );
  }
}
