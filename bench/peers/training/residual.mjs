// The network of examples/residual: 1×32×32 → 16@16×16 → three residual blocks of 16, 32 and 64 channels → mean → 10.
import { createRequire } from 'node:module';

const { nn } = createRequire(import.meta.url)('../../../dist/index.js');

export function makeResidual() {
  let seed = 1;
  const conv = (from, to, size, options) =>
    new nn.Conv2d(from, to, size, { bias: false, seed: seed++, ...options });
  const block = (from, to, stride) => {
    const body = new nn.Sequential(
      conv(from, to, 3, { stride, padding: 1 }),
      new nn.BatchNorm2d(to),
      new nn.ReLU(),
      conv(to, to, 3, { padding: 1 }),
      new nn.BatchNorm2d(to),
    );
    const shortcut =
      from === to ? null : new nn.Sequential(conv(from, to, 1, { stride }), new nn.BatchNorm2d(to));
    return [new nn.Residual(body, shortcut), new nn.ReLU()];
  };
  return new nn.Sequential(
    conv(1, 16, 3, { stride: 2, padding: 1 }),
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    ...block(16, 16, 1),
    ...block(16, 32, 2),
    ...block(32, 64, 2),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(64, 10, { seed }),
  );
}
