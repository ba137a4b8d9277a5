/**
 * Runs operations on whatever backend the environment forces, and prints the results as JSON: name → {dtype, data}.
 *
 *   CONVMAT_BACKEND=js node answers.cjs
 */
const { join } = require('node:path');
const convmat = require(join(__dirname, '../../../dist'));

/** The same values in every process: a linear congruential sequence in [-1, 1), or over an integer's range. */
function values(shape, dtype, seed) {
  const ARRAYS = {
    float32: Float32Array,
    float64: Float64Array,
    int8: Int8Array,
    uint8: Uint8Array,
    int16: Int16Array,
  };
  const data = new ARRAYS[dtype](shape.reduce((product, size) => product * size, 1));
  const spread = dtype.startsWith('float') ? 2 : 2 ** (8 * data.BYTES_PER_ELEMENT);
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = (state / 4294967296 - 0.5) * spread;
  }
  return convmat.tensor(data, shape);
}

const image = (dtype) => values([2, 12, 17, 19], dtype, 1);
const weight = (dtype) => values([20, 12, 3, 3], dtype, 2);

const exact = {
  'unfold, int16': () => convmat.unfold(image('int16'), [3, 2], { padding: 1, stride: [1, 2] }),
  'unfold, reflected': () => convmat.unfold(image('float32'), 3, { padding: 2, paddingMode: 'reflect' }),
  'matmul of bytes': () => convmat.matmul(values([33, 70], 'uint8', 3), values([70, 41], 'int8', 4)),
  'max pooling': () => convmat.maxPool2d(image('float32'), 3, { stride: 2, padding: 1 }),
  'max pooling, int8': () => convmat.maxPool2d(image('int8'), [2, 3], { ceilMode: true }),
  'indices of maxima': () => convmat.maxPool2dWithIndices(image('float64'), 3, { stride: 1 }).indices,
};
const rounded = {
  conv2d: () => convmat.conv2d(image('float32'), weight('float32'), { padding: 1, activation: 'relu' }),
  'conv2d, strict': () =>
    convmat.conv2d(image('float32'), weight('float32'), { stride: 2, accuracy: 'strict' }),
  'conv2d, float64': () =>
    convmat.conv2d(image('float64'), weight('float64'), { padding: 2, paddingMode: 'circular' }),
  'conv2d, depthwise': () =>
    convmat.conv2d(image('float32'), values([12, 1, 5, 5], 'float32', 5), { padding: 2, groups: 12 }),
  convTranspose2d: () =>
    convmat.convTranspose2d(image('float32'), values([12, 7, 4, 4], 'float32', 6), { stride: 2, padding: 1 }),
  convInputGrad: () =>
    convmat.convInputGrad([2, 12, 19, 21], weight('float32'), values([2, 20, 17, 19], 'float32', 7)),
  convWeightGrad: () =>
    convmat.convWeightGrad(image('float32'), [20, 12, 3, 3], values([2, 20, 15, 17], 'float32', 8)),
  fold: () => convmat.fold(values([2, 36, 15 * 17], 'float32', 9), [17, 19], [3, 3]),
  matmul: () => convmat.matmul(values([45, 130], 'float32', 10), values([130, 77], 'float32', 11)),
  'average pooling': () => convmat.avgPool2d(image('float32'), 3, { stride: 2, padding: 1 }),
};

function run(operations) {
  return Object.fromEntries(
    Object.entries(operations).map(([name, operation]) => {
      const { data, dtype } = operation();
      return [name, { dtype, data: Array.from(data) }];
    }),
  );
}

console.log(JSON.stringify({ info: convmat.backendInfo(), exact: run(exact), rounded: run(rounded) }));
