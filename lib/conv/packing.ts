/** The packed weights of one shape of input: made once, by whoever comes first, and kept while anybody runs with them. */
import type { BoundConv, ConvOperands } from '../backend/backend.js';
import { backend } from '../backend/select.js';
import type { ConvPlan } from '../plan/plans/conv.js';

export class Packing {
  /** Undefined while nobody has packed them, or other threads do. */
  packed: BoundConv | undefined;
  readonly #plan: ConvPlan;
  readonly #operands: ConvOperands;
  readonly #similar: BoundConv | undefined;
  #inProgress: Promise<BoundConv> | undefined;
  #users = 0;
  #isReleased = false;

  /** @param similar  What may have weights to lend: packed alike, they serve more shapes than one. */
  constructor(plan: ConvPlan, operands: ConvOperands, similar: BoundConv | undefined) {
    this.#plan = plan;
    this.#operands = operands;
    this.#similar = similar;
  }

  now(): BoundConv {
    this.packed ??= backend().bindConv(this.#plan, this.#operands, this.#similar);
    return this.packed;
  }

  /** By other threads; once, for however many calls. */
  async inTime(): Promise<BoundConv> {
    if (this.packed !== undefined) return this.packed;
    this.#inProgress ??= backend().bindConvAsync(this.#plan, this.#operands, this.#similar);
    try {
      const made = await this.#inProgress;
      this.packed ??= made;
      // A call that could not wait has packed them meanwhile.
      if (made !== this.packed) made.release();
      return this.packed;
    } finally {
      this.#inProgress = undefined;
    }
  }

  /** Runs `use` with the weights there until it ends, whatever is released meanwhile. */
  async during<Result>(use: () => Promise<Result>): Promise<Result> {
    this.#users++;
    try {
      return await use();
    } finally {
      this.#users--;
      this.#releaseIfDue();
    }
  }

  /** Frees the weights once nobody runs with them. */
  release(): void {
    this.#isReleased = true;
    this.#releaseIfDue();
  }

  #releaseIfDue(): void {
    if (this.#isReleased && this.#users === 0) this.packed?.release();
  }
}
