// What pruning buys at run time: each layer dense, and with only its nonzero weights, on one sample.
import { CsrMatrix, matmul, prepareConv, tensor } from 'convmat';

// Layers with weights, in order, and the shape of what they read.
const LAYERS = [
  { name: '0', kind: 'conv', inputShape: [1, 32, 32] },
  { name: '3', kind: 'conv', inputShape: [6, 15, 15] },
  { name: '7', kind: 'linear', inputShape: [576] },
  { name: '9', kind: 'linear', inputShape: [120] },
  { name: '11', kind: 'linear', inputShape: [84] },
];

/** A table: zeros, time dense and sparse, per layer and in all. */
export function compareSparse(dense, pruned) {
  const rows = LAYERS.map(({ name, kind, inputShape }) => {
    const weight = pruned[`${name}.weight`];
    const x = tensor(
      Float32Array.from({ length: inputShape.reduce((a, b) => a * b) }, Math.random),
      inputShape,
    );
    const runs =
      kind === 'conv'
        ? convolutions(dense[`${name}.weight`], weight, x)
        : products(dense[`${name}.weight`], weight, x);
    const [denseTime, sparseTime] = minima([runs.dense, runs.sparse]);
    const zeros = weight.data.filter((value) => value === 0).length / weight.size;
    return {
      layer: `${name} ${kind} ${weight.shape.join('×')}`,
      zeros,
      denseTime,
      sparseTime,
      how: runs.how,
    };
  });
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
  rows.push({ layer: 'all', denseTime: sum('denseTime'), sparseTime: sum('sparseTime'), how: '' });
  const lines = rows.map(({ layer, zeros, denseTime, sparseTime, how }) =>
    [
      layer.padEnd(22),
      (zeros === undefined ? '' : `${(100 * zeros).toFixed(1)} %`).padStart(7),
      `${denseTime.toFixed(2)}`.padStart(9),
      `${sparseTime.toFixed(2)}`.padStart(9),
      `${(denseTime / sparseTime).toFixed(2)}×`.padStart(7),
      ` ${how}`,
    ].join(' '),
  );
  const header = 'layer                    zeros  dense µs sparse µs  ratio';
  return `\nOne sample, one layer at a time, shortest of many runs:\n${header}\n${lines.join('\n')}`;
}

/** prepareConv looks at the weights: where few are nonzero it visits those alone, as a sparse Toeplitz matrix. */
function convolutions(denseWeight, prunedWeight, x) {
  const [dense, sparse] = [denseWeight, prunedWeight].map((weight) =>
    prepareConv(weight, { inputShape: x.shape }),
  );
  const out = dense.run(x);
  return {
    dense: () => dense.run(x, out),
    sparse: () => sparse.run(x, out),
    how: `${dense.explain(x.shape).chosen} → ${sparse.explain(x.shape).chosen}`,
  };
}

/** A fully-connected layer is a matrix: dense by matmul, sparse in CSR. */
function products(denseWeight, prunedWeight, x) {
  const column = x.reshape([-1, 1]);
  const csr = CsrMatrix.fromDense(prunedWeight);
  const out = new Float32Array(csr.shape[0]);
  return {
    dense: () => matmul(denseWeight, column),
    sparse: () => csr.matvec(x.data, out),
    how: 'matmul → CSR',
  };
}

/** µs per call, the shortest of rounds in which the contenders take turns. */
function minima(contenders) {
  const calls = 200;
  const best = contenders.map(() => Infinity);
  for (let round = 0; round < 30; round++) {
    contenders.forEach((run, i) => {
      const start = performance.now();
      for (let call = 0; call < calls; call++) run();
      best[i] = Math.min(best[i], ((performance.now() - start) * 1000) / calls);
    });
  }
  return best;
}
