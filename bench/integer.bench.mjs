// QLinearConv, uint8 by int8, on layers of real networks: convmat's integer kernels on every instruction set beside
// onnxruntime and, with --float32, its own float32 convolution of the same shape (direct and im2col). One process each,
// interleaved in rounds, answers checked before they are timed. Milliseconds; ratios of medians, ratios of minima in
// brackets; at the end their geometric means over the layers.
//
//   node bench/integer.bench.mjs [--layers regex] [--threads 1] [--rounds 7] [--ms 60] [--isas avx512,avx2] [--float32]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Contender, contenders, node } from './contenders.mjs';
import { layersOf, networks, product } from './layers.mjs';
import { quantizationOf } from './peers/quantization.mjs';
import { figuresOf } from './timing.mjs';

const { values: options } = parseArgs({
  options: {
    layers: { type: 'string', default: '^resnet50/3x3_' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '7' },
    ms: { type: 'string', default: '60' },
    float32: { type: 'boolean', default: false },
    isas: {
      type: 'string',
      default: Object.keys(contenders)
        .filter((name) => contenders[name].own && !contenders[name].slow)
        .join(','),
    },
  },
});
const [threads, rounds, ms] = [options.threads, options.rounds, options.ms].map(Number);
const isas = options.isas.split(',');
const ORT = 'onnxruntime';

const running = [];
const start = (name, kind, peer, env) =>
  running.push(Object.assign(new Contender(name, threads, node(peer, env)), { kind }));
for (const isa of isas) {
  const env = { CONVMAT_BACKEND: 'native', CONVMAT_ISA: isa };
  start(`${isa} integer`, 'integer', 'convmat-integer', env);
  if (!options.float32) continue;
  start(`${isa} float32 direct`, 'float', 'convmat', { ...env, BENCH_ALGORITHM: 'direct' });
  start(`${isa} float32 im2col`, 'float', 'convmat', { ...env, BENCH_ALGORITHM: 'im2col' });
}
if (contenders[ORT]) start(ORT, 'integer', 'onnxruntime-integer', {});

const { addonReport } = createRequire(import.meta.url)('../dist/backend/select.js');
console.log(`${cpus()[0].model}: ${addonReport().cpuFeatures.join(' ')}`);
/** Name of a pair → the ratios of its minima, by layer. */
const ratios = new Map();
const folder = mkdtempSync(join(tmpdir(), 'convmat-bench-'));
try {
  const layers = networks.flatMap(layersOf).filter(({ id }) => new RegExp(options.layers).test(id));
  for (const layer of layers) report(layer, await race(layer));
  console.log(`\ngeometric means of ${layers.length} layers`);
  for (const [pair, all] of ratios) {
    const mean = Math.exp(all.reduce((sum, ratio) => sum + Math.log(ratio), 0) / all.length);
    console.log(`  ${pair.padEnd(32)} ${mean.toFixed(2)}×, least ${Math.min(...all).toFixed(2)}×`);
  }
} finally {
  for (const contender of running) contender.stop();
  rmSync(folder, { recursive: true });
}

async function race(layer) {
  const reference = writeOperands(layer);
  for (const contender of running) {
    await contender.ask({ do: 'prepare', layer, folder });
    const file = join(folder, 'result.f32');
    await contender.ask({ do: 'result', file });
    verify(contender, layer, readFloats(file), reference);
  }
  const samples = new Map(running.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of running) samples.get(contender).push(await contender.ask({ do: 'time', ms }));
  }
  return Object.fromEntries(running.map((contender) => [contender.name, figuresOf(samples.get(contender))]));
}

function report(layer, times) {
  console.log(`\n${layer.id}`);
  for (const [name, { median, min }] of Object.entries(times)) {
    const own = name.endsWith('integer') ? name.split(' ')[0] : null;
    const against = own
      ? [`${own} float32 direct`, `${own} float32 im2col`, ...isas.map((isa) => `${isa} integer`), ORT]
          .filter((other) => times[other] && other !== name)
          .map((other) => `${ratio(times[other], times[name])} of ${other.replace(`${own} `, '')}`)
      : [];
    if (own) remember(name, times);
    console.log(
      `  ${name.padEnd(24)} ${median.toFixed(3)} (${min.toFixed(3)})${against.map((text) => `   ${text}`).join('')}`,
    );
  }
}

function remember(name, times) {
  for (const [other, { min }] of Object.entries(times)) {
    if (other === name) continue;
    const pair = `${name} beside ${other}`;
    ratios.set(pair, [...(ratios.get(pair) ?? []), min / times[name].min]);
  }
}

function ratio(peer, own) {
  return `${(peer.median / own.median).toFixed(2)}× (${(peer.min / own.min).toFixed(2)}×)`;
}

function readFloats(file) {
  const read = readFileSync(file);
  return new Float32Array(read.buffer, read.byteOffset, read.length / 4);
}

/** Bytes as files of floats, and a few outputs by definition. */
function writeOperands(layer) {
  let state = 1;
  const bytes = (count, least) =>
    Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 24) + least;
    });
  const input = bytes(product(layer.inputShape), 0);
  const weight = bytes(product(layer.weightShape), -128);
  const bias = bytes(layer.weightShape[0], -100);
  for (const [name, data] of Object.entries({ input, weight, bias }))
    writeFileSync(join(folder, `${name}.f32`), data);
  const size = product(layer.outputShape);
  const { inputZeroPoint, inputScale, weightScale, outputScale, outputZeroPoint } = quantizationOf(layer);
  return Array.from({ length: 300 }, (_, i) => {
    const at = Math.floor((i * (size - 1)) / 299);
    const float = sumAt(layer, at, input, weight, 0) + bias[channelOf(layer, at)];
    const centred = sumAt(layer, at, input, weight, inputZeroPoint) + bias[channelOf(layer, at)];
    const rounded = halfToEven((centred * inputScale * weightScale) / outputScale) + outputZeroPoint;
    return { at, float, integer: Math.min(255, Math.max(0, rounded)) };
  });
}

function halfToEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

function channelOf({ outputShape }, at) {
  return Math.floor(at / product(outputShape.slice(2))) % outputShape[1];
}

/** The exact sum of one output, inputs less `zero`. */
function sumAt({ inputShape, weightShape, outputShape, stride, padding, groups }, at, input, weight, zero) {
  const [height, width] = inputShape.slice(2);
  const [outputs, perGroup, rows, columns] = weightShape;
  const [outHeight, outWidth] = outputShape.slice(2);
  const column = at % outWidth;
  const row = Math.floor(at / outWidth) % outHeight;
  const o = Math.floor(at / (outWidth * outHeight)) % outputs;
  const first = Math.floor(o / (outputs / groups)) * perGroup;
  let sum = 0;
  for (let c = 0; c < perGroup; c++) {
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++) {
        const y = row * stride[0] + p - padding[0];
        const x = column * stride[1] + q - padding[1];
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        const value = input[((first + c) * height + y) * width + x] - zero;
        sum += value * weight[((o * perGroup + c) * rows + p) * columns + q];
      }
    }
  }
  return sum;
}

function verify({ name, kind }, layer, result, reference) {
  if (result.length !== product(layer.outputShape))
    throw new Error(`${name} ${layer.id}: ${result.length} outputs`);
  const terms = product(layer.weightShape.slice(1));
  for (const { at, integer, float } of reference) {
    const good =
      kind === 'integer' ? result[at] === integer : Math.abs(result[at] - float) <= 1e-5 * 128 * 128 * terms;
    if (!good)
      throw new Error(
        `${name} ${layer.id}: output ${at} is ${result[at]}, not ${kind === 'integer' ? integer : float}`,
      );
  }
}
