// A small residual network: two stages of one block each, with BatchNorm, and global pooling.
import { nn } from 'convmat';

/** conv 3×3 → norm → ReLU → conv 3×3 → norm, plus the input, by a 1×1 convolution where shapes change; then ReLU. */
function block(from, to, stride, seed) {
  const conv = (i, o, size, options, own) =>
    new nn.Conv2d(i, o, size, { bias: false, seed: own, ...options });
  const body = new nn.Sequential(
    conv(from, to, 3, { stride, padding: 1 }, seed),
    new nn.BatchNorm2d(to),
    new nn.ReLU(),
    conv(to, to, 3, { padding: 1 }, seed + 1),
    new nn.BatchNorm2d(to),
  );
  const shortcut =
    stride === 1 && from === to
      ? null
      : new nn.Sequential(conv(from, to, 1, { stride }, seed + 2), new nn.BatchNorm2d(to));
  return [new nn.Residual(body, shortcut), new nn.ReLU()];
}

/** [n, 1, 32, 32] → [n, 10]. */
export function makeResNet(seed) {
  return new nn.Sequential(
    new nn.Conv2d(1, 16, 3, { stride: 2, padding: 1, bias: false, seed }),
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    ...block(16, 16, 1, seed + 10),
    ...block(16, 32, 2, seed + 20),
    ...block(32, 64, 2, seed + 30),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(64, 10, { seed: seed + 40 }),
  );
}
