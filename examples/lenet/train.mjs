// Trains LeNet on real digits, saves it, makes nine in ten of its weights zero, and runs what is left through the sparse
// kernels.   npm run example:lenet
import { mkdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backendInfo, data, io, optim } from 'convmat';
import { loadDigits, moved } from './digits.mjs';
import { accuracy, makeLeNet, trainEpoch } from './network.mjs';
import { finishProgress, showProgress } from './progress.mjs';
import { compareSparse } from './sparse.mjs';

const SEED = 1;
const BATCH = 64;
const TRAINING = { epochs: 15, lr: 0.003 };
const SHRINKING = { epochs: 10, lr: 0.02, momentum: 0.9 };
const MENDING = { epochs: 8, lr: 0.003 };
// λ per layer. The first convolution has 54 weights, and all that follows depends on them: it keeps them.
const L1 = { '0.weight': 0, '3.weight': 0.06, '7.weight': 0.03, '9.weight': 0.03, '11.weight': 0.03 };

const output = join(dirname(fileURLToPath(import.meta.url)), '../output');
mkdirSync(output, { recursive: true });

const { backend, isa, threads } = backendInfo();
console.log(`convmat on ${backend} (${isa}), ${threads} thread${threads > 1 ? 's' : ''}`);
const { training, heldOut } = loadDigits();
console.log(`${training.length} digits to train on, ${heldOut.length} held out\n`);
const batches = new data.DataLoader(training, { batchSize: BATCH, shuffle: true, seed: SEED });
const judged = new data.DataLoader(heldOut, { batchSize: 250 });
const next = randomNumbers(SEED);

const net = makeLeNet(SEED);
console.log(`${net.summary([1, 32, 32])}\n`);

const start = performance.now();
const adam = new optim.Adam(net.parameters(), { lr: TRAINING.lr });
const dense = run('training', TRAINING, [adam]);
console.log(`${percent(dense)} of the held-out digits are right after ${seconds(start)}`);
const denseState = net.stateDict();
await save('lenet.npz');

console.log('\nShrinking: SGD whose every step ends with the proximal step of an L1 penalty on the weights.');
const { lr, momentum } = SHRINKING;
const shrinking = net
  .parameters()
  .map((parameter) => new optim.SGD([parameter], { lr, momentum, l1: L1[parameter.name] ?? 0 }));
run('shrinking', SHRINKING, shrinking);

console.log('Mending: what is zero stays zero, the rest recovers from the penalty.');
const weights = net.parameters().filter(({ name }) => name.endsWith('weight'));
const masks = weights.map(({ data: weight }) => ({ weight, kept: weight.data.map((w) => Number(w !== 0)) }));
const keepZeros = () => {
  for (const { weight, kept } of masks) for (let i = 0; i < kept.length; i++) weight.data[i] *= kept[i];
};
const pruned = run('mending', MENDING, [new optim.Adam(net.parameters())], keepZeros);
await save('lenet-pruned.npz');

const zeros = masks.reduce((sum, { kept }) => sum + kept.filter((keep) => keep === 0).length, 0);
const all = masks.reduce((sum, { kept }) => sum + kept.length, 0);
console.log(
  `\n${percent(zeros / all)} of the weights are zero; ${percent(pruned)} of the held-out digits are right, ` +
    `${((dense - pruned) * 100).toFixed(2)} points fewer than before`,
);
console.log(compareSparse(denseState, net.stateDict()));

/** Some epochs, with rates that fall to zero. Returns the accuracy on held-out digits. */
function run(label, { epochs, lr }, optimizers, afterStep = () => {}) {
  let right = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const optimizer of optimizers) optimizer.lr = lr * (1 - epoch / epochs);
    const name = `${label} ${epoch + 1}/${epochs}`.padEnd(16);
    let loss = 0;
    const step = () => {
      for (const optimizer of optimizers) optimizer.step();
      afterStep();
    };
    trainEpoch(
      net,
      batches,
      (images) => moved(images, next),
      step,
      (share, mean) => {
        loss = mean;
        showProgress(name, share, `loss ${mean.toFixed(4)}`);
      },
    );
    right = accuracy(net, judged);
    finishProgress(`${name} loss ${loss.toFixed(4)}   held out ${percent(right)}   ${seconds(start)}`);
  }
  return right;
}

async function save(name) {
  const path = join(output, name);
  await io.writeNpz(path, net.stateDict());
  console.log(`saved ${relative(process.cwd(), path)}`);
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** Seeded, so that two runs on one machine do the same. (A linear congruential generator; only the moves need it.) */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
