// The algebra of stored matrices and least squares, beside SciPy: interleaved in rounds, answers compared before they are
// timed. Milliseconds; ratios of medians, ratios of minima in brackets. Then the share of lsqr's time that its products take.
//
//   npm run bench:operators [-- --rounds 7 --iterations 100]
//
// SciPy is Debian's python3-scipy.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { needPython, startPython } from './python.mjs';
import { stream } from './random.mjs';
import { figures } from './timing.mjs';

process.env.CONVMAT_NUM_THREADS ??= '1';
process.env.OMP_NUM_THREADS ??= '1';
const require = createRequire(import.meta.url);
const { backendInfo, convMatrix, io, lsqr, Tensor } = require('..');

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, iterations: { type: 'string', default: '100' } },
});
const rounds = Number(options.rounds);
const iterations = Number(options.iterations);

const folder = mkdtempSync(join(tmpdir(), 'convmat-bench-'));
const { ask, stop } = startPython(needPython('scipy'), 'scipy_operators.py');

/** Uniform in [−1, 1). */
function random(length, seed) {
  const next = stream(seed);
  return Float64Array.from({ length }, () => 2 * next() - 1);
}

const encoded = (values) => Buffer.from(Float64Array.from(values).buffer).toString('base64');
const decoded = (text) => new Float64Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
const vector = (length) => Float64Array.from({ length }, (_, i) => ((i * 7919) % 1024) / 1024 - 0.5);
const show = ({ median, min }) => `${median.toPrecision(4)} (${min.toPrecision(4)})`;
const ratio = (peer, own) => `${(peer.median / own.median).toFixed(2)} (${(peer.min / own.min).toFixed(2)})`;

function timed(run) {
  const start = performance.now();
  const result = run();
  return [performance.now() - start, result];
}

function expectClose(actual, expected, bound, what) {
  const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);
  if (!(worst <= bound * size)) throw new Error(`${what}: off by ${worst / size} of the largest`);
}

function row(name, own, peer) {
  console.log(
    `| ${name} | ${show(figures(own))} | ${show(figures(peer))} | ${ratio(figures(peer), figures(own))} |`,
  );
}

try {
  const [a, b] = [1, 2].map((seed) =>
    convMatrix(new Tensor(random(25, seed), [5, 5]), {
      inputShape: [256, 256],
      padding: 2,
    }).toCSR(),
  );
  const paths = ['a', 'b'].map((name) => join(folder, `${name}.npz`));
  await io.writeSparseNpz(paths[0], a);
  await io.writeSparseNpz(paths[1], b);
  const { version } = await ask({ do: 'load', a: paths[0], b: paths[1] });
  const { isa, threads } = backendInfo();
  console.log(`convmat on ${isa}, ${threads} thread(s); SciPy ${version}\n`);
  console.log('| what | convmat | SciPy | SciPy / convmat |\n| --- | --- | --- | --- |');
  for (const what of ['multiply', 'add']) {
    const [own, peer] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const [ms, result] = timed(() => a[what](b));
      const answer = await ask({ do: what });
      if (round === 0) {
        const x = vector(result.shape[1]);
        expectClose(result.matvec(x), decoded(answer.product), 1e-12, what);
        continue;
      }
      own.push(ms);
      peer.push(answer.ms);
    }
    row(`CSR ${what}, 5×5 on 256×256, ${a.nnz} entries each`, own, peer);
  }

  const size = 1024;
  const kernel = random(225, 3).map((value) => value + 1);
  const A = convMatrix(new Tensor(kernel, [15, 15]), {
    inputShape: [size, size],
    padding: 7,
    paddingMode: 'reflect',
    // Products by transforms, as the peer's are.
    accuracy: 'fast',
  });
  const target = A.matvec(vector(size * size));
  let products = 0;
  const watched = (product) => (x, out) => {
    const [ms, result] = timed(() => product(x, out));
    products += ms;
    return result;
  };
  const operator = {
    shape: A.shape,
    dtype: A.dtype,
    matvec: watched((x, out) => A.matvec(x, out)),
    rmatvec: watched((y, out) => A.rmatvec(y, out)),
  };
  const request = { do: 'lsqr', kernel: encoded(kernel), size, iterations, b: encoded(target) };
  const [own, peer] = [[], []];
  for (let round = 0; round < 3; round++) {
    if (round > 0) products = 0;
    const [ms, { x }] = timed(() => lsqr(operator, target, { tolerance: 0, maxIterations: iterations }));
    const answer = await ask(request);
    if (round === 0) {
      expectClose(x, decoded(answer.x), 1e-6, 'lsqr');
      continue;
    }
    own.push(ms);
    peer.push(answer.ms);
  }
  row(`lsqr, 15×15 reflected on ${size}², ${iterations} iterations`, own, peer);
  console.log(`\nIn products: ${((100 * products) / own[own.length - 1]).toFixed(0)} % of lsqr's time.`);
} finally {
  stop();
  rmSync(folder, { recursive: true });
}
