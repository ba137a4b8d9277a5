// An L1 penalty that makes weights grow: why, and what to do about it.   npm run example:l1
//
// A linear model learns y = 10x₁ − 12x₂ + 2x₃ + 11x₄ − 0.25x₅ from 1000 samples, in batches of 100, by SGD with rate 0.02
// and momentum 0.82. Without a penalty it finds the weights. With λ·‖w‖₁ and λ = 1000 one expects them to shrink to zero;
// added to the loss, the penalty throws them about instead.
import { data, nn, optim, tensor } from 'convmat';

const TRUTH = [10, -12, 2, 11, -0.25];
const SAMPLES = 1000;
const EPOCHS = 40;
const LAMBDA = 1000;
const RATE = { lr: 0.02, momentum: 0.82 };

const samples = makeSamples();

const runs = [
  { name: 'λ = 0, SGD', mark: 'o', ...train((p) => new optim.SGD(p, RATE), 0) },
  { name: 'λ = 1000, SGD', mark: 'x', ...train((p) => new optim.SGD(p, RATE), LAMBDA) },
  { name: 'λ = 1000, Adagrad', mark: 'a', ...train((p) => new optim.Adagrad(p, { lr: RATE.lr }), LAMBDA) },
  { name: 'λ = 1000, proximal', mark: 'p', ...train((p) => new optim.SGD(p, { ...RATE, l1: LAMBDA }), 0) },
];

printWeights();
printPlot();
console.log(`
What happens. The subgradient of λ·|w| is ±λ however small w is, so each step of SGD moves every weight by lr·λ = 20, and
momentum makes that up to lr·λ/(1 − 0.82) = 111: past zero, and back, for ever. The penalty is obeyed in direction and
never in size; a smaller λ only makes smaller jumps.
Adagrad divides by the root of the sum of squared gradients, so λ cancels: its t-th step is about lr/√t = 0.02/√t whatever
λ is. The weights creep to zero and then hop across it, ever closer: tame, but none is ever exactly zero.
The proximal step takes the penalty as it is, not its slope: after a step on the loss alone it moves each weight towards
zero by lr·λ and stops there (soft-thresholding, optim.SGD's l1 option). The weights are zero from the first step on.
λ = 1000 is of course far too much for this loss, whose gradients are about 10. With proximal λ = 1 the weights become
  ${format(train((p) => new optim.SGD(p, { ...RATE, l1: 1 }), 0).weights)}
and the one that hardly matters is exactly zero, which is what an L1 penalty is for.`);

/** x uniform in [0, 1)⁵, y by the formula. The loader's shuffle is seeded, and so are these. */
function makeSamples() {
  let state = 94;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const x = Float64Array.from({ length: SAMPLES * 5 }, next);
  const y = Float64Array.from({ length: SAMPLES }, (_, n) =>
    TRUTH.reduce((sum, weight, i) => sum + weight * x[n * 5 + i], 0),
  );
  return new data.TensorDataset(tensor(x, [SAMPLES, 5]), tensor(y, [SAMPLES, 1]));
}

/** Trains the model; `lambda` is that of the penalty in the loss. The largest |w| is noted after each step. */
function train(makeOptimizer, lambda) {
  const model = new nn.Linear(5, 1, { bias: false, seed: 94 });
  model.loadStateDict({ weight: tensor(Float64Array.from(model.weight.data), [1, 5]) });
  const optimizer = makeOptimizer(model.parameters());
  const loader = new data.DataLoader(samples, { batchSize: 100, shuffle: true, seed: 94 });
  const sizes = [];
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (const [x, y] of loader) {
      optimizer.zeroGrad();
      model.backward(nn.mseLoss(model.forward(x), y).grad);
      nn.l1Penalty(model.weight, lambda);
      optimizer.step();
      sizes.push(Math.max(...Array.from(model.weight.data, Math.abs)));
    }
  }
  return { weights: [...model.weight.data], sizes };
}

function format(weights) {
  return weights.map((weight) => weight.toFixed(2).padStart(8)).join(' ');
}

function printWeights() {
  const width = Math.max(...runs.map(({ name }) => name.length)) + 2;
  console.log(
    `After ${EPOCHS} epochs${' '.repeat(Math.max(1, width - 9))}w₁       w₂       w₃       w₄       w₅`,
  );
  console.log(`${'truth'.padEnd(width)}${format(TRUTH)}`);
  for (const { name, weights } of runs) {
    const zeros = weights.filter((weight) => weight === 0).length;
    console.log(`${name.padEnd(width)}${format(weights)}${zeros > 0 ? `   (${zeros} exactly zero)` : ''}`);
  }
}

/** The largest |w| over the steps, on a logarithmic axis, the runs on one grid; exact zeros on a line of their own. */
function printPlot() {
  const decades = [3, 2, 1, 0, -1, -2, -3, -4];
  const rowsPerDecade = 2;
  const rows = (decades.length - 1) * rowsPerDecade + 1;
  const columns = 80;
  const grid = Array.from({ length: rows + 1 }, () => Array(columns).fill(' '));
  for (const { mark, sizes } of runs) {
    for (let column = 0; column < columns; column++) {
      const size = sizes[Math.floor((column / columns) * sizes.length)];
      const row = size === 0 ? rows : Math.round((decades[0] - Math.log10(size)) * rowsPerDecade);
      grid[Math.min(Math.max(row, 0), rows)][column] = mark;
    }
  }
  console.log(
    `\nlargest |w|, over ${runs[0].sizes.length} steps: ${runs.map(({ name, mark }) => `${mark} ${name}`).join('   ')}`,
  );
  grid.forEach((cells, row) => {
    const decade = row < rows && row % rowsPerDecade === 0 ? decades[row / rowsPerDecade] : undefined;
    const label = row === rows ? '0' : decade === undefined ? '' : `1e${decade}`;
    console.log(`${label.padStart(5)} |${cells.join('')}`);
  });
}
