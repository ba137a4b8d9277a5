/** One product of matrices over patches that are packed straight into its panels: serves every geometry. */
import { ceilDiv, product } from '../../numbers.js';
import type { ConvGeometry } from '../geometry.js';
import type { Workload } from '../model/workload.js';
import { pageShare } from '../model/workload.js';
import type { NativeAlgorithm } from './algorithm.js';
import { blockedCost } from './cost.js';
import { sparseLimitOfSums } from './sparse.js';

export const im2col: NativeAlgorithm = {
  name: 'im2col',
  gradients: 'every stride',
  declines: () => null,
  variant: () => ({ algorithm: 'im2col' }),
  onTiles: (g, { isa }) => (isa === 'amx' && fillsTiles(g) ? { algorithm: 'im2col', onTiles: true } : null),
  isAccurate: () => true,
  time,
  cost: blockedCost,
  reason: (g) =>
    product(g.axes.map((axis) => axis.kernel)) === 1
      ? 'a kernel of one tap: one product of matrices, tiled to fill the vectors'
      : 'patches packed straight into the panels of one product fill the vectors best',
  sparseLimit: sparseLimitOfSums,
  weightGrad: {
    declines: () => null,
    // Sums run over blocks of as many outputs, by either algorithm and at either accuracy.
    isAccurate: () => true,
    time: (work) => work.weightGradProducts * (work.written / work.lanes / LANES_IN_USE),
    reason: () =>
      'output channels leave most of the vectors empty: patches packed into the panels of a product fill them',
  },
};

/** Channels of a tile's line, and its lanes. */
const LINE = 32;
const LANES = 16;
/** What a unit of tiles is faster by than vectors, with what packs and stores. */
const GAIN = 4;

/** Whether tiles are so full that they take less time than vectors: native/conv/bf16_tiles.cc finds the same. */
function fillsTiles({ op, inChannels, outChannels, groups, axes }: ConvGeometry): boolean {
  if (op !== 'forward') return false;
  const filled = (count: number, tile: number) => count / (ceilDiv(Math.max(count, 1), tile) * tile);
  const pixels = product(axes.map(({ out }) => out));
  const used = filled(inChannels / groups, LINE) * filled(outChannels / groups, LANES);
  return used * Math.min(1, pixels / LANES) * GAIN >= 1;
}

/**
 * Share of useful lanes of the direct algorithm below which im2col computes gradients of the weight faster, although it
 * transposes its patches, too: measured on AVX-512 (Sapphire Rapids).
 */
const LANES_IN_USE = 0.3;

/**
 * Its times: of a tile begun and ended; a vector of its results stored; a row of an image that is read where it lies, more
 * than a row of a panel; a stretch of a panel's row found, once for all channels, and copied; a vector of it, and one with a
 * stride; and an image, or a group, begun and ended.
 */
function time(work: Workload): number {
  const { im2col: t } = work.times;
  const { gemm, lowered } = work.tuning;
  const { axes, batch, outChannels } = work.g;
  const width = axes[2];
  const k = work.read * work.taps;
  const panels = Math.max(1, ceilDiv(work.written, gemm.rows));
  const height = ceilDiv(work.written, panels);
  const widest = work.written <= gemm.wideRows ? gemm.wideVectors : gemm.vectors;
  const isImage = work.taps === 1 && axes.every((a) => a.stride === 1 && a.padBefore + a.padAfter === 0);
  const isInPlace = isImage && panels <= lowered.inPlacePasses && (work.places * work.bytes) % 1024 !== 0;

  const blocks = Math.max(1, ceilDiv(k, gemm.blockRows));
  const all = work.vectors(work.places);
  /** A column of tiles, as wide as `vectors`. */
  const column = (vectors: number): number => {
    const tile =
      k *
      (work.step(height * vectors, vectors + height + 1) +
        (isInPlace ? t.far * pageShare(work.places * work.bytes) : 0));
    return panels * (tile + blocks * t.tile + height * vectors * blocks * t.finish);
  };
  const rest = all % widest;
  const products = Math.floor(all / widest) * column(widest) + (rest > 0 ? column(rest) : 0);
  // A row of a panel is copied a stretch of neighbouring outputs at a time.
  const columns = ceilDiv(all, widest);
  const stretches = isImage ? columns : columns + work.places / Math.max(1, width.out);
  const isStrided = width.stride > 1;
  const copies = k * (stretches * t.stretch + (work.places / work.lanes) * (isStrided ? t.strided : t.pack));
  const described = isImage ? 0 : work.taps * stretches * t.describe;
  return (
    work.images * (products + (isInPlace ? 0 : copies) + described + t.image) +
    work.streamed(outChannels * k * work.bytes, batch) +
    work.delivered(t) +
    t.call
  );
}
