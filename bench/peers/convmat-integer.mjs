// convmat's prepared integer convolution, into a result that exists. Operands come as floats that hold bytes.
import { createRequire } from 'node:module';
import { quantizationOf } from './quantization.mjs';
import { serve } from './serve.mjs';

const { prepareQLinearConv, tensor } = createRequire(import.meta.url)('../../dist/index.js');

serve((layer, { input, weight, bias }) => {
  const { stride, padding, groups } = layer;
  const x = tensor(Uint8Array.from(input), layer.inputShape);
  const prepared = prepareQLinearConv(tensor(Int8Array.from(weight), layer.weightShape), {
    ...quantizationOf(layer),
    bias: tensor(Int32Array.from(bias)),
    stride,
    padding,
    groups,
    inputShape: layer.inputShape,
  });
  const out = prepared.run(x);
  return { run: () => prepared.run(x, out), result: () => Float32Array.from(out.data) };
});
