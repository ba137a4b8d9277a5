/** What the page shows, in plain values: everything else is computed from them. */
import type { PaddingMode } from 'convmat';
import type { Point } from './point.js';

/** A switch between the two ways to turn a convolution into linear algebra. */
export type Way = 'im2col' | 'toeplitz';

export const WAYS: readonly Way[] = ['im2col', 'toeplitz'];
export const PADDING_MODES: readonly PaddingMode[] = ['zeros', 'circular', 'reflect', 'replicate'];

export interface State {
  /** Name of a drawn image, or 'own' when pixels have been changed. */
  readonly image: string;
  readonly height: number;
  readonly width: number;
  /** Input and output channels. */
  readonly ic: number;
  readonly oc: number;
  readonly groups: number;
  /** Grey values from 0 to MOST_GREY: [ic, height, width]. */
  readonly pixels: Uint8Array;
  /** Name of a kernel, or 'own' when weights have been changed. */
  readonly kernel: string;
  readonly kh: number;
  readonly kw: number;
  /** [oc, ic/groups, kh, kw]. */
  readonly weights: Float32Array;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: number;
  readonly paddingMode: PaddingMode;
  readonly way: Way;
  /** What stays lit when nothing is pointed at. */
  readonly pin: Point | undefined;
}

/** Pixels are one digit each, so that they can be read and typed. */
export const MOST_GREY = 9;

export const LIMITS = {
  side: { least: 1, most: 64 },
  channels: { least: 1, most: 3 },
  kernel: { least: 1, most: 7 },
  stride: { least: 1, most: 8 },
  dilation: { least: 1, most: 8 },
  padding: { least: 0, most: 16 },
} as const;

export function clamp(value: number, { least, most }: { least: number; most: number }): number {
  return Math.min(Math.max(Math.round(value), least), most);
}

/** The group counts that divide both numbers of channels. */
export function groupChoices(ic: number, oc: number): number[] {
  return Array.from({ length: ic }, (_, i) => i + 1).filter((n) => ic % n === 0 && oc % n === 0);
}

type Listener = (state: State, before: State) => void;

/** The one place where the state is; whoever shows it is told of every change. */
export class Store {
  #state: State;
  readonly #listeners: Listener[] = [];

  constructor(state: State) {
    this.#state = state;
  }

  get state(): State {
    return this.#state;
  }

  listen(listener: Listener): void {
    this.#listeners.push(listener);
  }

  change(part: Partial<State>): void {
    const before = this.#state;
    this.#state = { ...before, ...part };
    for (const listener of this.#listeners) listener(this.#state, before);
  }
}
