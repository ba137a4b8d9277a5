// TensorFlow.js, on its plain JavaScript or its WebAssembly backend, in its own layout (NHWC). 2-D layers without
// groups, or depthwise.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { serve } from './serve.mjs';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs');
const name = process.env.TFJS_BACKEND;
if (name === 'wasm') {
  const { setThreadsCount, setWasmPaths } = require('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(`${join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist')}/`);
  setThreadsCount(Number(process.env.BENCH_THREADS));
}
await tf.setBackend(name);
await tf.ready();

serve((layer, { input, weight, bias }) => {
  const depthwise = layer.groups > 1;
  const [pad] = layer.padding;
  const same = layer.padding.every((p) => p === pad);
  if (layer.rank !== 2 || !same || (depthwise && layer.weightShape[1] * layer.groups !== layer.groups))
    return null;
  const x = tf.tensor4d(input, layer.inputShape).transpose([0, 2, 3, 1]);
  const w = tf.tensor4d(weight, layer.weightShape).transpose(depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
  const b = tf.tensor1d(bias);
  const explicit = [
    [0, 0],
    [pad, pad],
    [pad, pad],
    [0, 0],
  ];
  // Depthwise layers take no explicit padding there.
  const fused = depthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
  // In its own layout; into its memory at each run, as every other contender's on WebAssembly.
  const values = x.dataSync().slice();
  const compute = () => {
    const input = name === 'wasm' ? tf.tensor4d(values, x.shape) : x;
    return fused({
      x: depthwise ? tf.pad(input, explicit) : input,
      filter: w,
      strides: layer.stride,
      pad: depthwise ? 'valid' : explicit,
      bias: b,
    });
  };
  let last;
  return {
    run: () => {
      last?.dispose();
      last = tf.tidy(compute);
      last.dataSync();
    },
    result: () => tf.tidy(() => last.transpose([0, 3, 1, 2]).dataSync()),
  };
});
