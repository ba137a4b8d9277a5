/**
 * One problem, run on the backend of whatever thread this is in: as a worker it answers every message, a problem, with
 * the results of every operation that takes it; required, it is the function that does.
 *
 * A result is {exact, data} or {refused}. What has to agree with every other backend: its 'bits', its 'values' (a zero
 * may have either sign), or neither when sums are rounded.
 */
const { parentPort, workerData } = require('node:worker_threads');

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
};

/**
 * The same values everywhere: 'any' of the dtype, small 'whole' numbers, 'wild' ones that are now and then not finite;
 * with '|…|' around the kind, what results are measured against.
 */
function values(shape, dtype, seed, kind) {
  const data = new ARRAYS[dtype](shape.reduce((product, size) => product * size, 1));
  const isFloat = dtype.startsWith('float');
  const spread = isFloat ? 2 : 2 ** (8 * data.BYTES_PER_ELEMENT);
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296 - 0.5;
  };
  for (let i = 0; i < data.length; i++) {
    const value = next();
    data[i] = kind.includes('whole') ? Math.round(6 * value) : value * spread;
    if (kind === 'wild' && Math.abs(value) > 0.485)
      data[i] = value > 0.495 ? Number.NaN : Math.sign(value) * Infinity;
    if (kind.startsWith('|')) data[i] = Math.abs(data[i]);
  }
  return data;
}

function results(convmat, { input, weight, options, dtype, seed, kind }) {
  const rank = weight.length - 2;
  const make = (shape, type, salt, of = kind) =>
    new convmat.Tensor(values(shape, type, seed + salt, of), shape);
  const attempt = (exact, call) => {
    try {
      return { exact, data: call().data };
    } catch (error) {
      if (error instanceof convmat.ConvmatError) return { refused: error.code };
      throw error;
    }
  };
  const suffix = `${rank}d`;
  const { groups, ...window } = options;
  const { paddingMode: _, ...zeroPadded } = window;
  const kernel = weight.slice(2);
  const x = make(input, dtype, 1);
  // At padded places a weight that is not finite may count (0 · ∞) or be skipped.
  const w = make(weight, dtype, 2, kind === 'wild' ? 'any' : kind);
  const found = {};
  const summed = kind === 'whole' ? 'values' : null;

  // Sums of small whole numbers are exact in whatever order, and a NaN or an infinity goes wherever it is read.
  for (const algorithm of ['im2col', 'direct', 'depthwise', 'toeplitz']) {
    found[algorithm] = attempt(summed, () => convmat[`conv${suffix}`](x, w, { ...options, algorithm }));
  }
  for (const manner of [{ accuracy: 'strict' }, { algorithm: 'winograd' }, { algorithm: 'fft' }, {}]) {
    if (kind === 'wild') break; // transforms spread what is not finite
    const name = manner.accuracy ?? manner.algorithm ?? 'auto';
    found[name] = attempt(null, () => convmat[`conv${suffix}`](x, w, { ...options, ...manner }));
  }
  const y = found.im2col.data;
  if (y !== undefined && kind !== 'wild') {
    const matrix = convmat.convMatrix(w, { ...options, inputShape: input.slice(-rank - 1) });
    const batch = input.length === weight.length ? input[0] : 1;
    const shape = [...(input.length === weight.length ? [batch] : []), ...matrix.outputShape];
    const g = make(shape, dtype, 3);
    found.inputGrad = attempt(null, () => convmat.convInputGrad(input, w, g, options));
    found.weightGrad = attempt(null, () => convmat.convWeightGrad(x, weight, g, options));
    const vector = values([matrix.shape[1]], dtype, seed + 4, kind);
    const back = values([matrix.shape[0]], dtype, seed + 5, kind);
    found.matvec = { exact: summed, data: matrix.matvec(vector) };
    found.rmatvec = { exact: summed, data: matrix.rmatvec(back) };
    if (matrix.nnz < 50_000) {
      const csr = matrix.toCSR();
      found['csr.matvec'] = { exact: summed, data: csr.matvec(vector) };
      found['csr.rmatvec'] = { exact: summed, data: csr.rmatvec(back) };
    }
  }
  const few = { ...window, padding: 0 };
  found.unfold = attempt('bits', () => convmat.unfold(x, kernel, window));
  found.maxPool = attempt('bits', () =>
    convmat[`maxPool${suffix}`](x, kernel, { stride: few.stride, dilation: few.dilation }),
  );
  found.avgPool = attempt(null, () => convmat[`avgPool${suffix}`](x, kernel, { stride: few.stride }));
  for (const type of ['int8', 'uint8', 'int16', 'int32']) {
    const integers = new convmat.Tensor(values(input, type, seed + 6, 'any'), input);
    found[`unfold ${type}`] = attempt('bits', () => convmat.unfold(integers, kernel, zeroPadded));
    found[`maxPool ${type}`] = attempt('bits', () =>
      convmat[`maxPool${suffix}`](integers, kernel, { stride: few.stride, dilation: few.dilation }),
    );
  }
  const bytes = [
    new convmat.Tensor(values(input, 'uint8', seed + 7, 'any'), input),
    new convmat.Tensor(values(weight, 'int8', seed + 8, 'any'), weight),
  ];
  const points = { inputZeroPoint: 3, weightZeroPoint: -5 };
  found.convInteger = attempt('bits', () => convmat.convInteger(...bytes, { ...options, ...points }));
  const scales = { inputScale: 0.02, weightScale: 0.003, outputScale: 0.11, outputZeroPoint: 7 };
  found.qlinearConv = attempt('bits', () =>
    convmat.qlinearConv(...bytes, { ...options, ...points, ...scales }),
  );
  return found;
}

module.exports = { results };

if (parentPort !== null && workerData?.dist !== undefined) {
  const convmat = require(workerData.dist);
  parentPort.on('message', (problem) => {
    parentPort.postMessage({ isa: convmat.backendInfo().isa, found: results(convmat, problem) });
  });
}
