// convmat itself, on the backend of the environment.
import { createRequire } from 'node:module';
import { NETWORKS } from './networks.mjs';
import { serve } from './serve.mjs';

const { nn, optim, tensor } = createRequire(import.meta.url)('../../../dist/index.js');

serve(({ network, parameters, images, labels }) => {
  const { make, sgd } = NETWORKS[network];
  const net = make();
  let at = 0;
  for (const { data } of net.parameters()) {
    data.data.set(parameters.subarray(at, at + data.size));
    at += data.size;
  }
  const optimizer = new optim.SGD(net.parameters(), sgd);
  const batch = tensor(images, [labels.length, 1, 32, 32]);
  return () => {
    optimizer.zeroGrad();
    const { value, grad } = nn.crossEntropyLoss(net.forward(batch), labels);
    net.backwardParameters(grad);
    optimizer.step();
    return value;
  };
});
