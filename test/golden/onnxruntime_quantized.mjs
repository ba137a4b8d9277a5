/**
 * What onnxruntime-node computes on the CPU of networks of bytes: each case has a whole file, its inputs, and the outputs with
 * every optimization on. Run where the benchmarks' dependencies are installed (npm --prefix bench ci):
 *
 *   node onnxruntime_quantized.mjs [folder with node_modules/onnxruntime-node]
 *
 * On x64 with AVX2 the results do not depend on the CPU: sums of bytes are exact, and what follows them is float32.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Draft } from '../../bench/networks/draft.mjs';
import { stream } from '../../bench/random.mjs';

const folder = process.argv[2] ?? join(import.meta.dirname, '../../bench');
const require = createRequire(join(folder, 'package.json'));
const ort = require('onnxruntime-node');
const { version } = JSON.parse(
  readFileSync(join(folder, 'node_modules/onnxruntime-node/package.json'), 'utf8'),
);

const next = stream(20261130);
const below = (n) => Math.floor(next() * n);
const size = (shape) => shape.reduce((n, k) => n * k, 1);
const floats = (count, spread = 1) =>
  Float32Array.from({ length: count }, () => spread * (2 * next() - 1));
const scales = (count, around) => Float32Array.from({ length: count }, () => around * (0.5 + next()));
const ARRAYS = { int8: Int8Array, uint8: Uint8Array, int32: Int32Array };
const bytesOf = (type, count) =>
  new ARRAYS[type](Uint8Array.from({ length: count }, () => below(256)).buffer);
const zeroOf = (type, byte = below(256)) => ARRAYS[type].of(type === 'int8' ? byte - 128 : byte);

const cases = [];
async function record(id, draft, inputs) {
  const model = draft.bytes();
  const session = await ort.InferenceSession.create(model, {
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
  const feeds = {};
  for (const [name, { dtype, data, shape }] of Object.entries(inputs))
    feeds[name] = new ort.Tensor(dtype, data, shape);
  const outputs = await session.run(feeds);
  const encode = ({ dtype, data, shape }) => ({
    dtype,
    shape,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  });
  const tensors = Object.entries(inputs).map(([name, tensor]) => [name, encode(tensor)]);
  const expected = session.outputNames.map((name) => {
    const { type, data, dims } = outputs[name];
    return [name, encode({ dtype: type, data, shape: dims })];
  });
  cases.push({
    id,
    call: 'prepareNetwork',
    args: { model: Buffer.from(model).toString('base64') },
    tensors: Object.fromEntries(tensors),
    expected: Object.fromEntries(expected),
  });
}

for (const type of ['uint8', 'int8']) {
  const grid = (d, scale) => [d.constant(Float32Array.of(scale)), d.constant(zeroOf(type))];

  {
    const [d, shape] = [new Draft(), [3, 67]];
    // Halves between two steps, and what lies beyond all of them.
    const scale = 0.25;
    const data = Float32Array.from({ length: size(shape) }, (_, i) =>
      i % 2 === 0 ? scale * (below(600) - 300 + 0.5) : 40 * (2 * next() - 1),
    );
    data.set([Number.NaN, Infinity, -Infinity, 3e38, -3e38, 0, -0]);
    d.output(d.node('QuantizeLinear', [d.input('x', 'float32', shape), ...grid(d, scale)]), type, shape);
    await record(`quantize ${type}`, d, { x: { dtype: 'float32', data, shape } });
  }
  {
    const [d, shape] = [new Draft(), [2, 5, 3, 3]];
    const s = d.constant(scales(5, 0.02), [5]);
    const z = d.constant(bytesOf(type, 5), [5]);
    const y = d.node('QuantizeLinear', [d.input('x', 'float32', shape), s, z], { axis: 1 });
    d.output(y, type, shape);
    d.output(d.node('DequantizeLinear', [y, s, z], { axis: 1 }), 'float32', shape);
    await record(`quantize and dequantize by channels ${type}`, d, {
      x: { dtype: 'float32', data: floats(size(shape), 3), shape },
    });
  }
  for (const [ic, oc, kernel, stride, groups, edge] of [
    [3, 20, 3, 2, 1, 11],
    [70, 40, 3, 1, 1, 5],
    [64, 48, 1, 1, 1, 9],
    [33, 35, 1, 2, 1, 7],
    [16, 16, 3, 1, 16, 7],
    [4, 6, 5, 2, 2, 9],
  ]) {
    const d = new Draft();
    const [shape, pad] = [[1, ic, edge, edge], kernel >> 1];
    const out = Math.floor((edge + 2 * pad - kernel) / stride) + 1;
    const perOutput = (ic / groups) * kernel * kernel;
    const weight = d.constant(bytesOf('int8', oc * perOutput), [oc, ic / groups, kernel, kernel]);
    const inputs = [
      d.input('x', type, shape),
      ...grid(d, 0.02),
      weight,
      d.constant(scales(oc, 0.01), [oc]),
      d.constant(new Int8Array(oc), [oc]),
      ...grid(d, 0.02 * Math.sqrt(perOutput)),
      d.constant(Int32Array.from({ length: oc }, () => below(20000) - 10000), [oc]),
    ];
    const attributes = {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      group: groups,
    };
    d.output(d.node('QLinearConv', inputs, attributes), type, [1, oc, out, out]);
    const id = `qlinearConv ${type} ${ic} to ${oc}, ${kernel}×${kernel}, stride ${stride}, ${groups} groups`;
    await record(id, d, { x: { dtype: type, data: bytesOf(type, size(shape)), shape } });
  }
  for (const rows of [1, 3, 21]) {
    const [d, k, n] = [new Draft(), 70, 37];
    const b = d.constant(bytesOf('int8', k * n), [k, n]);
    const inputs = [d.input('a', type, [rows, k]), ...grid(d, 0.02), b];
    inputs.push(d.constant(scales(1, 0.01)), d.constant(zeroOf('int8')), ...grid(d, 0.2));
    d.output(d.node('QLinearMatMul', inputs), type, [rows, n]);
    await record(`qlinearMatMul ${type}, ${rows} rows`, d, {
      a: { dtype: type, data: bytesOf(type, rows * k), shape: [rows, k] },
    });
  }
  for (let i = 0; i < 3; i++) {
    const [d, shape] = [new Draft(), [1031]];
    const tensor = () => ({ dtype: type, data: bytesOf(type, 1031), shape });
    const inputs = [d.input('a', type, shape), ...grid(d, next()), d.input('b', type, shape)];
    inputs.push(...grid(d, next()), ...grid(d, 2 * next()));
    d.output(d.node('QLinearAdd', inputs, {}, 'com.microsoft'), type, shape);
    await record(`qlinearAdd ${type}, ${i}`, d, { a: tensor(), b: tensor() });
  }
  {
    const [d, shape] = [new Draft(), [2, 60, 7, 7]];
    const inputs = [d.input('x', type, shape), ...grid(d, 0.3), ...grid(d, 0.1)];
    const y = d.node('QLinearGlobalAveragePool', inputs, { channels_last: 0 }, 'com.microsoft');
    d.output(y, type, [2, 60, 1, 1]);
    await record(`qlinearGlobalAveragePool ${type}`, d, {
      x: { dtype: type, data: bytesOf(type, size(shape)), shape },
    });
  }
  {
    const [d, shape] = [new Draft(), [1, 5, 9, 11]];
    const window = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
    d.output(d.node('MaxPool', [d.input('x', type, shape)], window), type, [1, 5, 5, 6]);
    await record(`maxPool ${type}`, d, { x: { dtype: type, data: bytesOf(type, size(shape)), shape } });
  }
}

/** Float operators between DequantizeLinear and QuantizeLinear: two layers with a shortcut, pooled, and classified. */
async function recordPairs(id, type, clips) {
  const [d, shape, channels, classes] = [new Draft(), [2, 3, 13, 13], 24, 10];
  const least = type === 'int8' ? -128 : 0;
  // A zero point at the least byte leaves nothing for a rectifier to do; above it, onnxruntime keeps the float operator.
  const rectified = [d.constant(Float32Array.of(0.03)), d.constant(ARRAYS[type].of(least + (clips ? 0 : 9)))];
  const signed = [d.constant(Float32Array.of(0.05)), d.constant(ARRAYS[type].of(least + 121))];
  const dequantize = (x, grid) => d.node('DequantizeLinear', [x, ...grid]);
  const quantize = (x, grid) => d.node('QuantizeLinear', [x, ...grid]);
  const constantOf = (dims, axis, unit) => {
    const [w, count] = [scales(dims[axis], unit / 127), size(dims)];
    const values = d.constant(bytesOf('int8', count), dims);
    const operands = [values, d.constant(w, [dims[axis]]), d.constant(new Int8Array(dims[axis]), [dims[axis]])];
    return { name: d.node('DequantizeLinear', operands, { axis }), scales: w };
  };
  const biasOf = (weights, input) => {
    const values = Int32Array.from(weights, () => below(400) - 200);
    const units = weights.map((scale) => scale * Math.fround(input));
    return d.node(
      'DequantizeLinear',
      [d.constant(values, [values.length]), d.constant(units, [units.length])],
      { axis: 0 },
    );
  };
  const conv = (x, grid, scale, ic, kernel, withBias) => {
    const w = constantOf([channels, ic, kernel, kernel], 0, 2 / Math.sqrt(ic * kernel * kernel));
    const inputs = [dequantize(x, grid), w.name];
    if (withBias) inputs.push(biasOf(w.scales, scale));
    return d.node('Conv', inputs, { kernel_shape: [kernel, kernel], pads: Array(4).fill(kernel >> 1) });
  };
  const image = quantize(d.input('x', 'float32', shape), signed);
  const first = quantize(d.node('Relu', [conv(image, signed, 0.05, 3, 3, true)]), rectified);
  const pooled = quantize(
    d.node('MaxPool', [dequantize(first, rectified)], { kernel_shape: [2, 2], strides: [2, 2] }),
    rectified,
  );
  const branch = quantize(conv(pooled, rectified, 0.03, channels, 1, false), signed);
  const sum = d.node('Add', [dequantize(branch, signed), dequantize(pooled, rectified)]);
  const joined = quantize(d.node('Relu', [sum]), rectified);
  const mean = quantize(d.node('GlobalAveragePool', [dequantize(joined, rectified)]), rectified);
  const flat = d.node('Flatten', [mean]);
  const matrix = constantOf([classes, channels], 0, 1);
  const gemm = [dequantize(flat, rectified), matrix.name, biasOf(matrix.scales, 0.03)];
  const scores = quantize(d.node('Gemm', gemm, { transB: 1 }), signed);
  d.output(dequantize(scores, signed), 'float32', [2, classes]);
  d.output(joined, type, [2, channels, 6, 6]);
  await record(id, d, { x: { dtype: 'float32', data: floats(size(shape), 3), shape } });
}
await recordPairs('pairs of uint8', 'uint8', true);
await recordPairs('pairs of int8', 'int8', true);
await recordPairs('pairs of uint8 around rectifiers that remain', 'uint8', false);

const source = `onnxruntime-node ${version}`;
const file = join(import.meta.dirname, 'onnxruntime_quantized.json');
const lines = cases.map((one) => JSON.stringify(one)).join(",\n");
writeFileSync(file, `{"source":"${source}","cases":[\n${lines}\n]}\n`);
