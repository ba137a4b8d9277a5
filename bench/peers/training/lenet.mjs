// The network that is timed: 1×32×32 → 6@3×3, pool → 16@3×3, pool → 120 → 84 → 10.
import { createRequire } from 'node:module';

const { nn } = createRequire(import.meta.url)('../../../dist/index.js');

export function makeLeNet() {
  return new nn.Sequential(
    new nn.Conv2d(1, 6, 3, { seed: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(6, 16, 3, { seed: 2 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(576, 120, { seed: 3 }),
    new nn.ReLU(),
    new nn.Linear(120, 84, { seed: 4 }),
    new nn.ReLU(),
    new nn.Linear(84, 10, { seed: 5 }),
  );
}
