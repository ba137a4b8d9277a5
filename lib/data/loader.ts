/** Batches of a dataset, in order or shuffled. */
import { checkBoolean, checkInteger, checkOptions, isInstance, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { type Random, random } from '../random.js';
import type { Tensor } from '../tensor/tensor.js';
import { TensorDataset } from './dataset.js';

/** How a dataset is cut into batches. */
export interface DataLoaderOptions {
  /** Samples per batch. Default 1. */
  readonly batchSize?: number;
  /** A new order each time that the loader is iterated. Default false. */
  readonly shuffle?: boolean;
  /** Of the orders: the k-th iteration of a loader with this seed has the same order everywhere. Drawn when absent. */
  readonly seed?: number;
  /** Leave out a last batch that is not full. Default false. */
  readonly dropLast?: boolean;
}

/**
 * Each iteration is one pass over the dataset (an epoch): arrays of tensors, [batch, …] of each that the dataset holds.
 *
 * @throws {ArgumentError} for a batch size below 1, or a dataset that is no TensorDataset.
 * @example for (const [images, labels] of new data.DataLoader(dataset, { batchSize: 64, shuffle: true })) console.log(images.shape, labels.shape);
 */
export class DataLoader implements Iterable<Tensor[]> {
  /** Batches in a pass. */
  readonly length: number;
  readonly #dataset: TensorDataset;
  readonly #batchSize: number;
  readonly #shuffle: boolean;
  readonly #random: Random;

  /** @param dataset  What is cut into batches. */
  constructor(dataset: TensorDataset, options?: DataLoaderOptions) {
    if (!isInstance(dataset, TensorDataset))
      throw mistake(ArgumentError, 'dataset', 'a TensorDataset', dataset);
    const given = checkOptions(options, ['batchSize', 'shuffle', 'seed', 'dropLast']);
    this.#dataset = dataset;
    this.#batchSize = checkInteger(given.batchSize ?? 1, 'options.batchSize', 1);
    this.#shuffle = checkBoolean(given.shuffle ?? false, 'options.shuffle');
    this.#random = random(given.seed);
    const batches = dataset.length / this.#batchSize;
    this.length = checkBoolean(given.dropLast ?? false, 'options.dropLast')
      ? Math.floor(batches)
      : Math.ceil(batches);
  }

  /** One pass: a batch of each tensor at a time. */
  [Symbol.iterator](): Iterator<Tensor[]> {
    // Drawn at once, so that passes that overlap have the orders they would have had one after the other.
    const order = Int32Array.from({ length: this.#dataset.length }, (_, i) => i);
    if (this.#shuffle) shuffle(order, this.#random);
    return this.#batches(order);
  }

  *#batches(order: Int32Array): Generator<Tensor[]> {
    for (let i = 0; i < this.length; i++) {
      const start = i * this.#batchSize;
      yield this.#dataset.batch(order.subarray(start, start + this.#batchSize));
    }
  }
}

/** Fisher and Yates, from the end: every order is equally likely. */
function shuffle(order: Int32Array, source: Random): void {
  for (let last = order.length - 1; last > 0; last--) {
    const other = source.below(last + 1);
    const held = order[last];
    order[last] = order[other];
    order[other] = held;
  }
}
