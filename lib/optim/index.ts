/**
 * Optimisers, with PyTorch's rules and defaults.
 *
 * @module
 */
export type { AdagradOptions } from './adagrad.js';
export { Adagrad } from './adagrad.js';
export type { AdamOptions } from './adam.js';
export { Adam, AdamW } from './adam.js';
export type { Optimizer } from './optimizer.js';
export type { RMSpropOptions } from './rmsprop.js';
export { RMSprop } from './rmsprop.js';
export type { SGDOptions } from './sgd.js';
export { SGD } from './sgd.js';
