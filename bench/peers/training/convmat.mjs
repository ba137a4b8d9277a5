// convmat itself, on the backend of the environment.
import { createRequire } from 'node:module';
import { makeLeNet } from './lenet.mjs';
import { serve } from './serve.mjs';

const { nn, optim, tensor } = createRequire(import.meta.url)('../../../dist/index.js');

serve(({ parameters, images, labels }) => {
  const net = makeLeNet();
  let at = 0;
  for (const { data } of net.parameters()) {
    data.data.set(parameters.subarray(at, at + data.size));
    at += data.size;
  }
  const optimizer = new optim.SGD(net.parameters(), { lr: 0.01 });
  const batch = tensor(images, [labels.length, 1, 32, 32]);
  return () => {
    optimizer.zeroGrad();
    const { value, grad } = nn.crossEntropyLoss(net.forward(batch), labels);
    net.backward(grad);
    optimizer.step();
    return value;
  };
});
