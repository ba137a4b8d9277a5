/** Mixed calls, over and over: what a service asks for, and what it does wrong. */
const { join } = require('node:path');
const convmat = require(join(__dirname, '../../dist'));

/** The calls, one of which `any` makes: a promise where it is asynchronous. `dispose` ends the convolution that they share. */
function makeMix(seed) {
  /** Numbers in [0, 1): mulberry32. */
  let state = seed | 0;
  function random() {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
  const below = (n) => Math.floor(random() * n);
  function make(shape, ArrayType = Float32Array) {
    const data = new ArrayType(shape.reduce((a, b) => a * b));
    for (let i = 0; i < data.length; i++)
      data[i] = (random() - 0.5) * (ArrayType.BYTES_PER_ELEMENT === 1 ? 255 : 1);
    return new convmat.Tensor(data, shape);
  }

  const x = make([1, 8, 20, 20]);
  const w = make([8, 8, 3, 3]);
  const bytes = [make([1, 8, 20, 20], Int8Array), make([8, 8, 3, 3], Int8Array)];
  const y = convmat.conv2d(x, w);
  const large = make([1, 8, 220, 220]);
  const matrix = convmat.convMatrix(w, { inputShape: [8, 20, 20] });
  const csr = convmat.convMatrix(make([2, 2, 3, 3]), { inputShape: [2, 9, 9] }).toCSR();
  const kept = convmat.prepareConv(w);
  const image = convmat.fixed.fi(make([12, 13]), { signed: true, wordLength: 12, fractionLength: 10 });
  const vector = new Float32Array(matrix.shape[1]).fill(0.5);
  const series = [make([300], Float64Array), make([31], Float64Array)];

  const MIX = [
    () => convmat.conv2d(x, w, { padding: below(3), stride: 1 + below(2) }),
    () =>
      convmat.conv2d(x, w, { padding: 1, algorithm: ['im2col', 'direct', 'winograd', 'toeplitz'][below(4)] }),
    () => convmat.conv2d(make([1, 1, 4 + below(30), 4 + below(30)]), make([1, 1, 3, 3])), // ever new plans
    () => convmat.convTranspose2d(y, w, { stride: 1 + below(2) }),
    () => convmat.convInputGrad(x.shape, w, y),
    () => convmat.convWeightGrad(x, w.shape, y),
    () => convmat.unfold(x, 3, { padding: 1 }),
    () => convmat.maxPool2d(x, 2),
    () => convmat.avgPool2d(x, 3, { padding: 1 }),
    () => convmat.convInteger(...bytes, { inputZeroPoint: 3 }),
    () =>
      convmat.fixed.conv2(image, image, {
        shape: 'same',
        output: { signed: true, wordLength: 16, fractionLength: 9 },
      }),
    () => convmat.signal.conv(...series.map(({ data }) => data)),
    () => convmat.signal.fft(series[0].data.subarray(0, 1 + below(300))),
    () => matrix.matvec(vector),
    () => csr.matvec(new Float32Array(csr.shape[1])),
    () => kept.run(x),
    () => {
      const prepared = convmat.prepareConv(w, { inputShape: x.shape });
      prepared.run(x);
      if (random() < 0.5) prepared.dispose(); // otherwise the collector's
    },
    () => {
      try {
        convmat.conv2d(x, w, { groups: 3 });
      } catch {}
    },
    () => kept.runAsync(x),
    () => convmat.conv2dAsync(x, w),
    () => {
      const controller = new AbortController();
      const result = convmat.conv2dAsync(x, w, { signal: controller.signal });
      if (random() < 0.5) controller.abort();
      return result.catch(() => {});
    },
    () => (random() < 0.05 ? convmat.conv2dAsync(large, w) : undefined),
  ];

  return { any: () => MIX[below(MIX.length)](), dispose: () => kept.dispose() };
}

module.exports = { makeMix };
