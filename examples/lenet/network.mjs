// The network of PyTorch's tutorial, how it is trained, and how it is judged.
import { nn } from 'convmat';

/** 1×32×32 → 6@3×3, pool → 16@3×3, pool → 16×6×6 → 120 → 84 → 10. */
export function makeLeNet(seed) {
  return new nn.Sequential(
    new nn.Conv2d(1, 6, 3, { seed }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(6, 16, 3, { seed: seed + 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(16 * 6 * 6, 120, { seed: seed + 2 }),
    new nn.ReLU(),
    new nn.Linear(120, 84, { seed: seed + 3 }),
    new nn.ReLU(),
    new nn.Linear(84, 10, { seed: seed + 4 }),
  );
}

/**
 * One pass over the training digits.
 *
 * @param vary    Makes a batch of images a little different each time.
 * @param step    Called when the gradients are there: moves the parameters.
 * @param report  Called after each batch with the share of the pass that is done and the mean loss so far.
 */
export function trainEpoch(net, loader, vary, step, report) {
  let total = 0;
  let batches = 0;
  for (const [images, labels] of loader) {
    net.zeroGrad();
    const { value, grad } = nn.crossEntropyLoss(net.forward(vary(images)), labels);
    net.backwardParameters(grad);
    step();
    total += value;
    batches++;
    report(batches / loader.length, total / batches);
  }
}

/** The share of samples whose largest output is at their label. */
export function accuracy(net, loader) {
  let right = 0;
  let count = 0;
  for (const [images, labels] of loader) {
    const { data, shape } = net.forward(images);
    for (let n = 0; n < shape[0]; n++) {
      const row = data.subarray(n * shape[1], (n + 1) * shape[1]);
      if (row.indexOf(Math.max(...row)) === labels.data[n]) right++;
      count++;
    }
  }
  return right / count;
}
