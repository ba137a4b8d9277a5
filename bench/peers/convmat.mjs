// convmat itself, prepared, into a result that exists.
import { createRequire } from 'node:module';
import { serve } from './serve.mjs';

const { prepareConv, tensor } = createRequire(import.meta.url)('../../dist/index.js');

serve((layer, { input, weight, bias }) => {
  const { stride, padding, groups } = layer;
  const x = tensor(input, layer.inputShape);
  const prepared = prepareConv(tensor(weight, layer.weightShape), {
    bias: tensor(bias),
    stride,
    padding,
    groups,
    inputShape: layer.inputShape,
    ...(process.env.BENCH_ALGORITHM && { algorithm: process.env.BENCH_ALGORITHM }),
    ...(process.env.BENCH_ACCURACY && { accuracy: process.env.BENCH_ACCURACY }),
  });
  const out = prepared.run(x);
  return { run: () => prepared.run(x, out), result: () => out.data };
});
