/** Weights that are packed for each shape of input that comes: of the last few shapes they are kept. */
import type { Shape } from '../tensor/tensor.js';

/** Weights bound to one shape of input. */
export interface Binding {
  readonly inputShape: Shape;
  readonly conv: { release(): void };
}

// Input shapes that a service alternates between; a shape past these is bound anew.
const MOST = 16;

/** The latest bindings of one set of weights. */
export class BindingCache<K extends Binding> {
  readonly #bindings: K[] = [];

  /** The one that was made last. */
  get latest(): K | undefined {
    return this.#bindings[0];
  }

  find(inputShape: Shape): K | undefined {
    for (const binding of this.#bindings) if (sameSizes(binding.inputShape, inputShape)) return binding;
    return undefined;
  }

  /** The oldest is released when there are too many. */
  add(binding: K): K {
    this.#bindings.unshift(binding);
    if (this.#bindings.length > MOST) this.#bindings.pop()?.conv.release();
    return binding;
  }

  release(): void {
    for (const { conv } of this.#bindings.splice(0)) conv.release();
  }
}

/** Array.prototype.every costs more than a tiny convolution can spare. */
export function sameSizes(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}
