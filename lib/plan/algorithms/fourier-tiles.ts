/** What all kinds of Fourier tiles have in common: what is counted of them, how the tile is chosen, and how that is told. */
import { product } from '../../numbers.js';
import type { ConvGeometry } from '../geometry.js';
import { BLOCKED_WORKSPACE_BYTES, type Counts, sizesOf } from './cost.js';

/** Points of a tile along its axes. */
export interface FftTile {
  readonly rows: number;
  readonly columns: number;
}

/** What a model of time multiplies by the times of one. */
interface TileSteps {
  /** Points of all tiles' channels that are gathered or delivered, and how often passes of transforms touch them. */
  readonly points: number;
  readonly passes: number;
  /** Complex products of spectra. */
  readonly products: number;
}

export interface TileWork extends TileSteps {
  readonly tile: FftTile;
  /** Of weights' spectra that are kept; and of what a run needs beside them. */
  readonly spectraBytes: number;
  readonly workspaceBytes: number;
}

/** Time of a point, and of a complex product, in passes of a transform: by which the tile is chosen. */
interface TileTimes {
  readonly point: number;
  readonly product: number;
}

/** The fastest of tiles that fit the workspace; null where none does. */
export function fastestTile(
  works: Iterable<TileWork | null>,
  { point, product }: TileTimes,
): TileWork | null {
  let best: TileWork | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const work of works) {
    if (work === null) continue;
    const time = work.passes + point * work.points + product * work.products;
    if (time >= least) continue;
    best = work;
    least = time;
  }
  return best;
}

/** The fastest tiles of geometries, which do not change: every step of a choice asks. */
export class TileChoice {
  readonly #known = new WeakMap<ConvGeometry, TileWork | null>();
  readonly #choose: (g: ConvGeometry) => TileWork | null;

  constructor(choose: (g: ConvGeometry) => TileWork | null) {
    this.#choose = choose;
  }

  /** Null where no tile serves; undefined before anyone has asked. */
  known(g: ConvGeometry): TileWork | null | undefined {
    return this.#known.get(g);
  }

  /** Null where no tile serves. */
  find(g: ConvGeometry): TileWork | null {
    const before = this.#known.get(g);
    if (before !== undefined) return before;
    const work = this.#choose(g);
    this.#known.set(g, work);
    return work;
  }

  /** Of a geometry that is not declined. */
  of(g: ConvGeometry): TileWork {
    const work = this.find(g);
    if (work === null) throw new RangeError('expected a geometry whose Fourier tiles fit the workspace');
    return work;
  }
}

/** Transforms of radix 4: per point and two passes 8.5 flops, of which 3 multiply. */
function flopsOf({ passes, products }: TileSteps): Pick<Counts, 'multiplications' | 'additions'> {
  return {
    multiplications: Math.ceil(1.5 * passes) + 4 * products,
    additions: Math.ceil(2.75 * passes) + 4 * products,
  };
}

export function tileCost(g: ConvGeometry, work: TileWork): Counts {
  const { item, weights, operandBytes } = sizesOf(g);
  const { spectraBytes, workspaceBytes } = work;
  return {
    ...flopsOf(work),
    bytes: operandBytes + Math.max(0, spectraBytes - item * weights),
    extraBytes: spectraBytes + workspaceBytes + BLOCKED_WORKSPACE_BYTES,
    // The weights themselves are for direct sums of what is not finite, and for spectra that are not kept.
    weightBytes: spectraBytes + item * weights,
  };
}

/** @param manner  Words between the tile and what it saves: '' or ', … ,'. */
export function tileReason(g: ConvGeometry, work: TileWork, manner: string): string {
  const { multiplications, additions } = flopsOf(work);
  const taps = product(g.axes.map((axis) => axis.kernel));
  const places = product(g.axes.map((axis) => axis.out));
  const direct = 2 * g.batch * g.outChannels * (g.inChannels / g.groups) * taps * places;
  const saving = (direct / (multiplications + additions)).toPrecision(2);
  const { rows, columns } = work.tile;
  return `Fourier tiles of ${rows}×${columns}${manner} take ${saving} times less arithmetic`;
}
