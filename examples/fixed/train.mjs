// A small network in fixed point: trained in float32, then run on integers of 4 to 16 bits, bit by bit as Python's integers
// have it.   npm run example:fixed
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { data, io, nn, optim } from 'convmat';
import { loadDigits, moved } from '../lenet/digits.mjs';
import { accuracy, trainEpoch } from '../lenet/network.mjs';
import { finishProgress, showProgress } from '../lenet/progress.mjs';
import { inFixedPoint } from './network.mjs';

const SEED = 1;
const EPOCHS = 4;
const RATE = 0.003;
const WORDS = [4, 5, 6, 8, 12, 16];
const CHECKED = 4;

const { training, heldOut } = loadDigits();
const batches = new data.DataLoader(training, { batchSize: 64, shuffle: true, seed: SEED });
const judged = new data.DataLoader(heldOut, { batchSize: 250 });
const net = new nn.Sequential(
  new nn.Conv2d(1, 8, 3, { stride: 2, padding: 1, seed: SEED }),
  new nn.ReLU(),
  new nn.Conv2d(8, 16, 3, { stride: 2, padding: 1, seed: SEED + 1 }),
  new nn.ReLU(),
  new nn.Flatten(),
  new nn.Linear(16 * 8 * 8, 10, { seed: SEED + 2 }),
);
const optimizer = new optim.Adam(net.parameters(), { lr: RATE });
const next = randomNumbers(SEED);
for (let epoch = 1; epoch <= EPOCHS; epoch++) {
  optimizer.lr = RATE * (1 - (epoch - 1) / EPOCHS);
  const label = `epoch ${epoch}/${EPOCHS}`;
  const report = (share, loss) => showProgress(label, share, `loss ${loss.toFixed(4)}`);
  trainEpoch(
    net,
    batches,
    (images) => moved(images, next),
    () => optimizer.step(),
    report,
  );
  finishProgress(`${label}  ${percent(accuracy(net, judged))} of the held-out digits`);
}

const floats = accuracy(net, judged);
const [images] = heldOut.batch(Array.from({ length: 250 }, (_, i) => 8 * i));
const floatTime = fastest(() => net.forward(images));
console.log(`\nfloat32: ${percent(floats)}, ${floatTime.toFixed(1)} ms for 250 digits\n`);
console.log('bits  right      lost   ms for 250   against float32');
const output = join(dirname(fileURLToPath(import.meta.url)), '../output');
mkdirSync(output, { recursive: true });
const files = [];
for (const wordLength of WORDS) {
  const network = inFixedPoint(net, images, wordLength);
  const right = accuracy({ forward: (x) => network.run(x).toFloat().reshape([x.shape[0], 10]) }, judged);
  const time = fastest(() => network.run(images));
  const cells = [
    `${wordLength}`.padStart(4),
    percent(right).padStart(8),
    `${(100 * (floats - right)).toFixed(2)}`.padStart(8),
    time.toFixed(1).padStart(12),
    `${(floatTime / time).toFixed(2)} times`.padStart(17),
  ];
  console.log(cells.join(' '));
  const path = join(output, `fixed-${wordLength}.npz`);
  await io.writeNpz(path, network.describe(images.slice([0, CHECKED])));
  files.push(path);
}

const script = join(dirname(fileURLToPath(import.meta.url)), 'reference.py');
const { status, stdout, error } = spawnSync('python3', [script, ...files], { encoding: 'utf8' });
console.log(
  error || status !== 0
    ? `\nTo compare with Python: python3 ${script} ${files.join(' ')}`
    : `\n${stdout.trim()}`,
);
process.exitCode = status === 1 ? 1 : 0;

function fastest(run) {
  let best = Infinity;
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

/** Numbers in [0, 1) from a seed. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
