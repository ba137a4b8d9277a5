// Compiled, not run: the public types in use, as each version of TypeScript reads them.
import * as convmat from 'convmat';
import { DataLoader, type Dataset } from 'convmat/data';
import { fi } from 'convmat/fixed';
import { readNpy } from 'convmat/io';
import { Sequential } from 'convmat/nn';
import { Adam } from 'convmat/optim';
import { conv2 } from 'convmat/signal';

const y: convmat.Tensor = convmat.conv2d(
  [
    [
      [
        [1, 2],
        [3, 4],
      ],
    ],
  ],
  [[[[1]]]],
  {
    padding: 'same',
    activation: { clip: [0, 6] },
  },
);
const info: convmat.BackendInfo = convmat.backendInfo();
export const isa: 'avx512' | 'avx2' | 'neon' | 'generic' | 'js' = info.isa;
// @ts-expect-error an option that does not exist
convmat.conv2d(y, y, { strid: 2 });
// @ts-expect-error a shape of signal.conv2 that does not exist
conv2(y, y, 'half');

export type { Dataset };
export const entries = [DataLoader, fi, readNpy, Sequential, Adam];
