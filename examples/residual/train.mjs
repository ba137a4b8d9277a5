// Trains a residual network on real digits, folds its BatchNorms into its convolutions, and takes it apart into sparse
// matrices.   npm run example:residual
import { backendInfo, data, nn, optim } from 'convmat';
import { loadDigits } from '../lenet/digits.mjs';
import { accuracy, trainEpoch } from '../lenet/network.mjs';
import { finishProgress, showProgress } from '../lenet/progress.mjs';
import { distorted } from './distort.mjs';
import { makeResNet } from './network.mjs';

const SEED = 1;
const BATCH = 64;
const EPOCHS = 30;
const RATE = 0.1;
const MOMENTUM = 0.9;
const WEIGHT_DECAY = 5e-4;

const { backend, isa, threads } = backendInfo();
console.log(`convmat on ${backend} (${isa}), ${threads} thread${threads > 1 ? 's' : ''}`);
const { training, heldOut } = loadDigits();
console.log(`${training.length} digits to train on, ${heldOut.length} held out\n`);
const batches = new data.DataLoader(training, {
  batchSize: BATCH,
  shuffle: true,
  seed: SEED,
  dropLast: true,
});
const judged = new data.DataLoader(heldOut, { batchSize: 250 });

const net = makeResNet(SEED);
console.log(`${net.summary([1, 32, 32])}\n`);

const start = performance.now();
const next = randomNumbers(SEED);
const optimizer = new optim.SGD(net.parameters(), {
  lr: RATE,
  momentum: MOMENTUM,
  weightDecay: WEIGHT_DECAY,
});
const steps = EPOCHS * batches.length;
let done = 0;
let right = 0;
for (let epoch = 1; epoch <= EPOCHS; epoch++) {
  const label = `epoch ${epoch}/${EPOCHS}`;
  let loss = 0;
  net.train();
  const step = () => {
    // From the full rate to nothing, along half a wave.
    optimizer.lr = (RATE * (1 + Math.cos((Math.PI * done++) / steps))) / 2;
    optimizer.step();
  };
  trainEpoch(
    net,
    batches,
    (images) => distorted(images, next),
    step,
    (share, mean) => {
      loss = mean;
      showProgress(label, share, `loss ${mean.toFixed(4)}`);
    },
  );
  right = accuracy(net.eval(), judged);
  finishProgress(`${label}  loss ${loss.toFixed(4)}  ${percent(right)} of the held-out digits, ${seconds()}`);
}
console.log(`\n${percent(right)} of the held-out digits are right after ${seconds()}`);

const folded = nn.foldBatchNorm(net);
const [images] = heldOut.batch(Array.from({ length: 250 }, (_, i) => 8 * i));
const difference = largestDifference(folded.forward(images), net.forward(images));
const foldedAccuracy = accuracy(folded, judged);
console.log(
  `Without its BatchNorms: ${percent(foldedAccuracy)}; scores differ by at most ${difference.toExponential(1)}`,
);

const sparse = nn.linearize(folded, [1, 32, 32], { sparse: true });
const few = images.slice([0, 10]);
const apart = largestDifference(sparse.forward(few), net.forward(few));
console.log(`As sparse matrices: scores differ by at most ${apart.toExponential(1)}`);

function largestDifference(a, b) {
  return a.data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b.data[i])), 0);
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

function seconds() {
  return `${((performance.now() - start) / 1000).toFixed(0)} s`;
}

/** Numbers in [0, 1) from a seed. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
