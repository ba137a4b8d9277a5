// Convolution layers of real networks: convmat on every backend beside its peers, interleaved in rounds, every answer
// checked before it is timed.
//
//   node bench/conv.bench.mjs [--networks resnet50,vgg16,…] [--layers regex] [--contenders avx512,onnxruntime,…]
//                             [--threads 1] [--rounds 3] [--ms 25] [--slow 1] [--seconds N] [--out bench/results/NAME]
//
// A contender whose run takes longer than `slow` seconds is timed by that one run. --seconds bounds the whole: layers that
// no time is left for are named and left out.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Contender, contenders } from './contenders.mjs';
import { layersOf, networks, product } from './layers.mjs';
import { measurePeak } from './peak.mjs';
import { printReport, writeReport } from './report.mjs';
import { figuresOf } from './timing.mjs';

const { values: options } = parseArgs({
  options: {
    networks: { type: 'string', default: networks.join(',') },
    layers: { type: 'string', default: '' },
    contenders: { type: 'string', default: Object.keys(contenders).join(',') },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    ms: { type: 'string', default: '25' },
    slow: { type: 'string', default: '1' },
    seconds: { type: 'string', default: 'Infinity' },
    out: { type: 'string', default: 'bench/results/latest' },
  },
});
const threads = Number(options.threads);
const rounds = Number(options.rounds);
const ms = Number(options.ms);
const slowMs = 1000 * Number(options.slow);
const end = performance.now() + 1000 * Number(options.seconds);
/** Plain JavaScript is left out where one run would take longer than this: 2 GF/s is far above its speed. */
const SLOW_FLOPS = 4e8;
/** A result this far above what our matrix products reach on one core is no result of one core. */
const ABOVE_PEAK = 1.3;

const layers = options.networks
  .split(',')
  .flatMap(layersOf)
  .filter(({ id }) => new RegExp(options.layers).test(id));
const peak = measurePeak();
const folder = mkdtempSync(join(tmpdir(), 'convmat-bench-'));
const running = options.contenders
  .split(',')
  .filter((name) => {
    const isThere = name in contenders;
    if (!isThere) console.error(`without ${name}, which this machine or this Node.js has not`);
    return isThere;
  })
  .map((name) => new Contender(name, threads));
const rows = [];
try {
  for (const [i, layer] of layers.entries()) {
    if (performance.now() > end) {
      console.log(
        `No time left for ${layers
          .slice(i)
          .map(({ id }) => id)
          .join(', ')}.\n`,
      );
      break;
    }
    process.stderr.write(`\r\x1b[K${i + 1}/${layers.length} ${layer.id}`);
    rows.push(await measureLayer(layer));
  }
  process.stderr.write('\r\x1b[K');
} finally {
  for (const contender of running) contender.stop();
  rmSync(folder, { recursive: true });
}
const report = { threads, rounds, peak, contenders: running.map(({ name }) => name), rows };
printReport(report);
writeReport(report, options.out);

async function measureLayer(layer) {
  const reference = writeOperands(layer);
  const served = [];
  const times = {};
  for (const contender of running) {
    if (contenders[contender.name].slow && layer.flops > SLOW_FLOPS) continue;
    const { unsupported } = await contender.ask({ do: 'prepare', layer, folder });
    if (unsupported) continue;
    const file = join(folder, 'result.f32');
    await contender.ask({ do: 'result', file });
    const mistake = mistakeIn(layer, readFloats(file), reference);
    if (mistake === null) {
      served.push(contender);
    } else if (contenders[contender.name].own) {
      throw new Error(`${contender.name} ${layer.id}: ${mistake}`);
    } else {
      times[contender.name] = { wrong: mistake };
    }
  }
  const samples = Object.fromEntries(served.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of served) {
      const taken = samples[contender.name];
      if (!taken.some(({ min }) => min > slowMs)) taken.push(await contender.ask({ do: 'time', ms }));
    }
  }
  for (const [name, taken] of Object.entries(samples)) {
    const { median, min } = figuresOf(taken);
    const tooFast = !contenders[name].own && threads === 1 && layer.flops / min / 1e6 > ABOVE_PEAK * peak;
    times[name] = { median, min, ...(tooFast && { rejected: true }) };
  }
  return { layer, times };
}

function readFloats(file) {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** Random operands as files, and a few outputs summed in float64 by definition. */
function writeOperands(layer) {
  let state = 1;
  const random = (count) =>
    Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 31 - 1;
    });
  const input = random(product(layer.inputShape));
  const weight = random(product(layer.weightShape));
  const bias = random(layer.weightShape[0]);
  for (const [name, data] of Object.entries({ input, weight, bias }))
    writeFileSync(join(folder, `${name}.f32`), data);
  const size = product(layer.outputShape);
  const picks = Array.from({ length: 200 }, (_, i) => Math.floor((i * (size - 1)) / 199));
  return picks.map((at) => ({ at, value: outputAt(layer, at, input, weight, bias) }));
}

/** y[n,o,i…] by definition. */
function outputAt(
  { inputShape, weightShape, outputShape, stride, padding, groups },
  at,
  input,
  weight,
  bias,
) {
  const index = [];
  let rest = at;
  for (const size of [...outputShape].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  const [n, o, ...position] = index;
  const [, perGroup, ...kernel] = weightShape;
  const group = Math.floor(o / (weightShape[0] / groups));
  const taps = product(kernel);
  let sum = bias[o];
  for (let c = 0; c < perGroup; c++) {
    for (let tap = 0; tap < taps; tap++) {
      let from = n * inputShape[1] + group * perGroup + c;
      let left = tap;
      let scale = taps;
      let inside = true;
      kernel.forEach((size, axis) => {
        scale /= size;
        const source = position[axis] * stride[axis] + Math.floor(left / scale) - padding[axis];
        left %= scale;
        inside &&= source >= 0 && source < inputShape[axis + 2];
        from = from * inputShape[axis + 2] + source;
      });
      if (inside) sum += input[from] * weight[(o * perGroup + c) * taps + tap];
    }
  }
  return sum;
}

/** What is wrong with an answer, or null. */
function mistakeIn(layer, result, reference) {
  if (result.length !== product(layer.outputShape)) return `${result.length} outputs`;
  const terms = product(layer.weightShape.slice(1));
  // Products of numbers up to 1; Winograd may lose a few bits more than a plain sum.
  const tolerance = 2e-6 * Math.sqrt(terms) * 8;
  for (const { at, value } of reference) {
    const error = Math.abs(result[at] - value);
    if (!(error <= tolerance)) return `output ${at} is ${result[at]}, not ${value}`;
  }
  return null;
}
