/** A layer of a network, without its batch's other images. */
export interface Layer {
  readonly id: string;
  readonly network: string;
  readonly name: string;
  readonly count: number;
  readonly rank: number;
  readonly inputShape: number[];
  readonly weightShape: number[];
  readonly outputShape: number[];
  readonly stride: number[];
  readonly padding: number[];
  readonly groups: number;
  readonly flops: number;
}

export const networks: readonly string[];
export function layersOf(network: string): Layer[];
export function product(sizes: readonly number[]): number;
