// The networks that are trained, by name, and how.
import { makeLeNet } from './lenet.mjs';
import { makeResidual } from './residual.mjs';

export const NETWORKS = {
  lenet: { title: 'LeNet', make: makeLeNet, sgd: { lr: 0.01 } },
  residual: {
    title: 'residual network',
    make: makeResidual,
    sgd: { lr: 0.01, momentum: 0.9, weightDecay: 5e-4 },
  },
};
