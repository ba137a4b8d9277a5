// Convolution with precision 'bf16' beside our own float32, on layers of real networks: prepared, in one process, taken in
// turn, on random data, which tiles take longer for than for zeros. Milliseconds, least of all rounds; the error is the root
// mean square of the difference, relative to that of the result; at the end geometric means.
//
//   node bench/bf16.bench.mjs [--layers regex] [--threads 1] [--rounds 40]
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { backendInfo, conv1d, prepareConv, setNumThreads, Tensor } from '../dist/index.js';
import { layersOf, networks, product } from './layers.mjs';
import { stream } from './random.mjs';
import { figures } from './timing.mjs';

const { values: options } = parseArgs({
  options: {
    layers: { type: 'string', default: '^resnet50/' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '40' },
  },
});
setNumThreads(Number(options.threads));
// Loads the kernels before anything is timed.
conv1d([[1, 2]], [[[1]]]);
const { isa, threads } = backendInfo();
console.log(`${cpus()[0].model}, ${isa}, threads: ${threads}`);

const PRECISIONS = ['float32', 'bf16'];
const next = stream(1);
const random = (shape) =>
  new Tensor(
    Float32Array.from({ length: product(shape) }, () => 2 * next() - 1),
    shape,
  );

const ratios = [];
for (const layer of networks.flatMap(layersOf).filter(({ id }) => new RegExp(options.layers).test(id))) {
  const [input, weight] = [random(layer.inputShape), random(layer.weightShape)];
  const { stride, padding, groups } = layer;
  const prepared = PRECISIONS.map((precision) => prepareConv(weight, { stride, padding, groups, precision }));
  const outputs = prepared.map((conv) => conv.run(input));
  const times = prepared.map(() => []);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const [i, conv] of prepared.entries()) {
      const begin = performance.now();
      conv.run(input, outputs[i]);
      times[i].push(performance.now() - begin);
    }
  }
  const [float32, bf16] = times.map((all) => figures(all).min);
  ratios.push(float32 / bf16);
  console.log(
    layer.id.padEnd(28),
    `float32 ${float32.toFixed(3)}  bf16 ${bf16.toFixed(3)}  ${(float32 / bf16).toFixed(2)}×`,
    `${(layer.flops / bf16 / 1e6).toFixed(0)} GFLOP/s  error ${difference(...outputs).toExponential(1)}`,
    ` ${prepared.map((conv) => conv.explain(input.shape).chosen).join(', ')}`,
  );
  for (const conv of prepared) conv.dispose();
}
const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
console.log(
  `geometric mean of ${ratios.length} layers ${mean.toFixed(2)}×, least ${Math.min(...ratios).toFixed(2)}×`,
);

function difference({ data: exact }, { data }) {
  let [sum, size] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    sum += (data[i] - exact[i]) ** 2;
    size += exact[i] ** 2;
  }
  return Math.sqrt(sum / size);
}
