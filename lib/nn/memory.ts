/**
 * Memory of what layers pass to each other within a network and nobody outside of it sees. New memory for each of these
 * arrays costs more than what is written there: it is in no cache, and the garbage collector comes late.
 */
import { product } from '../numbers.js';
import { type FloatArray, type FloatDType, uninitialised } from '../tensor/dtype.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';

/** Where a layer writes its result. */
export interface Memory {
  take(dtype: FloatDType, length: number): FloatArray;
}

/** Memory that nobody else has: of what callers may keep. */
export const FRESH: Memory = { take: uninitialised };

/** A tensor there, whose elements are about to be written. */
export function resultIn(memory: Memory, dtype: FloatDType, shape: Shape): FloatTensor {
  return new Tensor(memory.take(dtype, product(shape)), shape);
}

/** The same memory each time, as long as it fits: of a result that is not read any more when the next is written. */
export class SameMemory implements Memory {
  #array: FloatArray | undefined;
  #dtype: FloatDType | undefined;

  take(dtype: FloatDType, length: number): FloatArray {
    if (this.#array === undefined || this.#dtype !== dtype || this.#array.length !== length) {
      this.#array = uninitialised(dtype, length);
      this.#dtype = dtype;
    }
    return this.#array;
  }

  clear(): void {
    this.#array = undefined;
  }
}

/** A gradient on its way back through a network. */
export interface Passed {
  readonly gradient: FloatTensor;
  /** Whether its memory is the network's own and has no other reader, so that who takes it may write there. */
  readonly isOwn: boolean;
}

/** Memory of gradients, for those before them once they have been read. */
export class GradientMemory implements Memory {
  readonly #free = new Map<string, FloatArray[]>();

  take(dtype: FloatDType, length: number): FloatArray {
    return this.#free.get(keyOf(dtype, length))?.pop() ?? uninitialised(dtype, length);
  }

  /** The memory of a gradient that has been read, unless somebody else may read it. */
  giveBack({ gradient: { data, dtype }, isOwn }: Passed): void {
    if (!isOwn) return;
    const key = keyOf(dtype, data.length);
    const free = this.#free.get(key);
    if (free === undefined) this.#free.set(key, [data]);
    else free.push(data);
  }

  clear(): void {
    this.#free.clear();
  }
}

function keyOf(dtype: FloatDType, length: number): string {
  return `${dtype} ${length}`;
}
