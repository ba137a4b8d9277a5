/** Networks by the addon: all steps of a run in one call. */
import { type TypedArray, uninitialised } from '../../tensor/dtype.js';
import type { AbortSignalLike } from '../abort.js';
import type { Backend, BoundNetwork, NetworkProgram } from '../backend.js';
import type { NativeAddon, RunNetwork } from './addon.js';
import { settled } from './settled.js';

/** Of the caches, in bytes. */
const LINE = 64;

export function networksBy(addon: NativeAddon): Pick<Backend, 'bindNetwork' | 'bindNetworkAsync' | 'arena'> {
  return {
    arena(bytes) {
      const whole = uninitialised('uint8', bytes + LINE);
      const start = addon.arenaStart(whole);
      return whole.subarray(start, start + bytes);
    },
    bindNetwork(program, similar) {
      const args = argumentsOf(program, similar);
      return new NativeNetwork(addon, addon.prepareNetwork(...args, program.constantsLast));
    },
    async bindNetworkAsync(program, similar) {
      const args = argumentsOf(program, similar);
      const run = await settled<RunNetwork>(addon, (callback) =>
        addon.prepareNetworkAsync(...args, program.spent, callback),
      );
      return new NativeNetwork(addon, run);
    },
  };
}

function argumentsOf(
  { words, arenaBytes, inputBytes, outputBytes, constants, isAlone }: NetworkProgram,
  similar: BoundNetwork | null,
) {
  const lender = NativeNetwork.lender(similar);
  return [words, arenaBytes, inputBytes, outputBytes, constants, lender, isAlone] as const;
}

class NativeNetwork implements BoundNetwork {
  readonly run: RunNetwork;
  readonly #addon: NativeAddon;
  #released = false;

  constructor(addon: NativeAddon, run: RunNetwork) {
    this.run = run;
    this.#addon = addon;
  }

  get packedBytes(): number {
    return this.run.packedBytes;
  }

  async runAsync(
    arena: Uint8Array,
    inputs: readonly TypedArray[],
    outputs: readonly TypedArray[],
    signal?: AbortSignalLike,
  ): Promise<void> {
    await settled<readonly TypedArray[]>(
      this.#addon,
      (callback) => this.#addon.runNetworkAsync(this.run, arena, inputs, outputs, callback),
      signal,
    );
  }

  release(): void {
    if (!this.#released) this.#addon.releaseNetwork(this.run);
    this.#released = true;
  }

  /** The run function while it has weights to lend. */
  static lender(network: BoundNetwork | null): RunNetwork | null {
    return network instanceof NativeNetwork && !network.#released ? network.run : null;
  }
}
