/**
 * Winograd's F(m×m, r×r): m × m outputs of an r × r kernel with (m + r − 1)² products per channel instead of m²·r².
 *   y = Aᵀ[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]A, summed over channels between the transforms: matrix products, one per point
 * A kernel with stride s is s × s kernels with stride 1, each over every s-th row and column of the source: phases, which
 * are summed like channels. Those with a tap less than the others have nothing at the last point, and are left out there.
 *
 * Everything between input and output is float64: of float32 it rounds once, as the other algorithms here do. A tile
 * whose result is not finite is summed again directly, so NaN and infinity stand where direct sums put them.
 */
import { KEPT_WEIGHT_BYTES } from '../../plan/algorithms/js/winograd.js';
import type { FloatArray } from '../../tensor/dtype.js';
import { type AxisGather, sourceAt } from './gather.js';
import { CAPACITY, columns, gemmScratch, multiplyBlock, rowPanel, TILES, tiles } from './gemm.js';
import {
  biasOf,
  type ImageConvolution,
  type Job,
  type Part,
  sourceOrigin,
  weightOrigin,
  writtenPlane,
} from './job.js';
import { storeRow } from './store.js';
import {
  type Points,
  SQUARE,
  squares,
  transformInput,
  transformKernel,
  transformOutput,
} from './winograd-transforms.js';

// Constants of this module, as scratch.ts wants them.
const numbers = squares;
const sums = tiles;
const tileVectors = rowPanel;

/** Elements of the transformed weights that are copied for products at a time: they stay in a second-level cache. */
const POINT_BLOCK = 1 << 15;

// Vectors, and points of a vector, are this much farther apart than need be: powers of two would share cache sets.
const SPREAD = 8;

/** Where the tiles of one axis read and write. */
interface TileAxis {
  readonly count: number;
  /** Outputs of the axis: the last tile may have fewer than the others. */
  readonly outputs: number;
  /** Source elements from one output to the next: the number of phases. */
  readonly step: number;
  /** Phases with every tap; the rest have one less. */
  readonly longPhases: number;
  /** [tile][phase][point]: the source element, or -1 for a zero. */
  readonly sources: Int32Array;
  /** [tile][phase]: the points whose elements lie in the source, when those are `step` apart. */
  readonly runs: readonly (Run | null)[];
  /** The kernel's tap that meets the source at each offset. */
  readonly taps: Int32Array;
}

/** Points [start, end) of a tile: point i reads element first + i·step, and the other points read zeros. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly first: number;
}

function runOf(elements: Int32Array, step: number): Run | null {
  const start = Math.max(
    0,
    elements.findIndex((element) => element >= 0),
  );
  const first = elements[start] - start * step;
  const isInside = (element: number, i: number): boolean => element >= 0 && element === first + i * step;
  const end = elements.findLastIndex(isInside) + 1;
  const isRun = elements.every((element, i) => (i >= start && i < end ? isInside(element, i) : element < 0));
  return isRun ? { start, end: Math.max(start, end), first } : null;
}

function tileAxis(gather: AxisGather, tile: number, points: number): TileAxis {
  const { count: outputs, line, jump: step } = gather;
  const span = gather.taps.length;
  const reach = Math.ceil(span / step);
  // The adjoint meets the taps from the last to the first.
  const taps = gather.taps.slice();
  gather.offsets.forEach((offset, i) => {
    taps[offset] = gather.taps[i];
  });
  const count = Math.ceil(outputs / tile);
  const sources = new Int32Array(count * step * points).fill(-1);
  const runs: (Run | null)[] = [];
  for (let t = 0; t < count; t++) {
    for (let phase = 0; phase < step; phase++) {
      const own = sources.subarray(runs.length * points, (runs.length + 1) * points);
      for (let i = 0; i < points && t * tile + i < outputs + reach - 1; i++)
        own[i] = line[(t * tile + i) * step + phase] ?? -1;
      runs.push(runOf(own, step));
    }
  }
  return { count, outputs, step, longPhases: span - step * (reach - 1), sources, runs, taps };
}

/** One phase of both axes, and the number of its first channel among the channels of all. */
interface Phase {
  readonly down: number;
  readonly right: number;
  readonly firstChannel: number;
}

/**
 * Phases in such an order that those which a point needs are neighbours: short down, long right; long, long; long down,
 * short right; short, short.
 */
function phasesOf(high: TileAxis, wide: TileAxis, channels: number): Phase[] {
  const phases: Phase[] = [];
  for (const [isDownLong, isRightLong] of [
    [false, true],
    [true, true],
    [true, false],
    [false, false],
  ]) {
    for (let down = 0; down < high.step; down++) {
      for (let right = 0; right < wide.step; right++) {
        if (down < high.longPhases !== isDownLong || right < wide.longPhases !== isRightLong) continue;
        phases.push({ down, right, firstChannel: phases.length * channels });
      }
    }
  }
  return phases;
}

/** The channels of all phases that a point sums: [first, end). */
function channelsAt(
  { step: h, longPhases: longH }: TileAxis,
  { step: w, longPhases: longW }: TileAxis,
  channels: number,
  isLastDown: boolean,
  isLastRight: boolean,
): [first: number, end: number] {
  const first = isLastDown ? (h - longH) * longW : 0;
  const end = h * longW + (isLastRight ? 0 : isLastDown ? longH * (w - longW) : h * (w - longW));
  return [first * channels, end * channels];
}

/** What is the same for every image and group. */
interface Tiling {
  readonly part: Part;
  readonly high: TileAxis;
  readonly wide: TileAxis;
  /** Outputs along one side of a tile, and points of its transform. */
  readonly tile: number;
  readonly points: Points;
  /** Taps of a phase. */
  readonly reach: number;
  readonly phases: readonly Phase[];
  /** Channels of all phases, and from those of one point of a tile to those of the next. */
  readonly depth: number;
  readonly pitch: number;
  /** Tiles of an image; of a block of products, its most; and channels written of such a block. */
  readonly tileCount: number;
  readonly tileBlock: number;
  readonly channelBlock: number;
  /** Whether transformed weights are kept. */
  readonly isKept: boolean;
}

function tilingOf(part: Part, tile: number): Tiling {
  const { direction, lattice } = part;
  const [, gh, gw] = lattice;
  const reach = Math.ceil(gh.taps.length / gh.jump);
  const points = (tile + reach - 1) as Points;
  const high = tileAxis(gh, tile, points);
  const wide = tileAxis(gw, tile, points);
  const phases = phasesOf(high, wide, direction.sourceChannels);
  const depth = phases.length * direction.sourceChannels;
  const pitch = depth + SPREAD;
  const tileCount = high.count * wide.count;
  return {
    part,
    high,
    wide,
    tile,
    points,
    reach,
    phases,
    depth,
    pitch,
    tileCount,
    ...blocksFor(part, points, depth, pitch, tileCount),
  };
}

/** Tiles first: all weights are read once for a block of them. */
function blocksFor(
  { direction: { batch, groups, writtenChannels }, isReused }: Part,
  points: number,
  depth: number,
  pitch: number,
  tileCount: number,
): Pick<Tiling, 'tileBlock' | 'channelBlock' | 'isKept'> {
  const squared = points * points;
  const spacing = squared * 6;
  const maxPairs = Math.min(
    Math.floor(CAPACITY / vectorStride(points, pitch)),
    Math.floor(TILES / spacing / 4),
  );
  const tileBlock = Math.ceil(tileCount / Math.ceil(tileCount / (2 * maxPairs)));
  const maxTriples = Math.min(
    Math.floor(CAPACITY / depth),
    Math.floor(TILES / spacing / Math.ceil(tileBlock / 2)),
  );
  const isNeededAgain = isReused || batch > 1 || tileCount > tileBlock;
  const isKept = isNeededAgain && groups * squared * writtenChannels * depth * 8 <= KEPT_WEIGHT_BYTES;
  const blockTriples = isKept ? maxTriples : Math.min(maxTriples, Math.floor(CAPACITY / squared / depth));
  const channelBlock = Math.ceil(writtenChannels / Math.ceil(writtenChannels / (3 * blockTriples)));
  return { tileBlock, channelBlock, isKept };
}

/** Some tiles of a group's image: what is packed in the vectors of rows. */
interface TileRun {
  readonly job: Job;
  readonly group: number;
  readonly firstTile: number;
  readonly tiles: number;
}

/** Channels of a group that are written together. */
interface ChannelRun {
  readonly first: number;
  readonly channels: number;
}

/** @param tile  Outputs along one side of a tile. */
export function convolveTiles(part: Part, tile: number): ImageConvolution {
  const { groups, writtenChannels } = part.direction;
  const tiling = tilingOf(part, tile);
  const { points, depth, tileCount, tileBlock, channelBlock } = tiling;
  const squared = points * points;
  const kept = Array.from({ length: groups }, () => new Map<number, readonly Float64Array[]>());
  return function* (job) {
    // Fewer tiles make smaller units, for which the weights are copied more often.
    const unitTiles = 2 * Math.floor(job.unitSize / (2 * squared * channelBlock * depth));
    const mostTiles = Math.min(tileBlock, Math.max(2, unitTiles));
    for (let group = 0; group < groups; group++) {
      let done = 0;
      for (let firstTile = 0; firstTile < tileCount; firstTile += mostTiles) {
        const run = { job, group, firstTile, tiles: Math.min(mostTiles, tileCount - firstTile) };
        for (let first = 0; first < writtenChannels; first += channelBlock) {
          const channels = Math.min(channelBlock, writtenChannels - first);
          if (!gemmScratch.hold(run)) transformRun(tiling, run);
          multiplyPoints(
            tiling,
            run.tiles,
            channels,
            weightsOf(tiling, kept[group], group, { first, channels }),
          );
          storeRun(tiling, run, { first, channels });
          done += squared * channels * run.tiles * depth;
          if (done >= job.unitSize) {
            yield;
            done = 0;
          }
        }
      }
    }
  };
}

/** Transformed weights of some channels: see transformWeights. Straight into the columns where they are not kept. */
function weightsOf(
  tiling: Tiling,
  kept: Map<number, readonly Float64Array[]>,
  group: number,
  { first, channels }: ChannelRun,
): readonly Float64Array[] {
  const known = kept.get(first);
  if (known !== undefined) return known;
  const { part, points, depth, phases, isKept } = tiling;
  const distance = Math.ceil(channels / 3) * depth;
  const arrays = isKept ? columns.map(() => new Float64Array(points * points * distance)) : columns;
  if (isKept) kept.set(first, arrays);
  const firstChannel = group * part.direction.writtenChannels + first;
  for (let m = 0; m < channels; m++) {
    const own = weightOrigin(part, firstChannel + m);
    const to = { array: arrays[m % 3], at: Math.floor(m / 3) * depth, distance };
    for (const phase of phases) transformWeights(tiling, phase, own, to);
  }
  return arrays;
}

/** The products of tiles and channels, point by point. */
function multiplyPoints(
  tiling: Tiling,
  tiles: number,
  channels: number,
  weights: readonly Float64Array[],
): void {
  const { part, high, wide, points, depth, pitch, isKept } = tiling;
  const squared = points * points;
  const triples = Math.ceil(channels / 3);
  const pointBlock = isKept ? Math.max(1, Math.floor(POINT_BLOCK / (triples * depth))) : squared;
  for (let point = 0; point < squared; point++) {
    const inBlock = point % pointBlock;
    if (isKept && inBlock === 0) {
      const from = point * triples * depth;
      const to = Math.min(squared, point + pointBlock) * triples * depth;
      for (let i = 0; i < columns.length; i++) columns[i].set(weights[i].subarray(from, to));
    }
    const isLastDown = point >= squared - points;
    const isLastRight = point % points === points - 1;
    const [start, end] = channelsAt(high, wide, part.direction.sourceChannels, isLastDown, isLastRight);
    multiplyBlock({
      pairs: Math.ceil(tiles / 2),
      triples,
      depth: end - start,
      rows: { first: point * pitch + start, distance: vectorStride(points, pitch) },
      columns: { first: inBlock * triples * depth + start, distance: depth },
      sums: { first: point * 6, distance: squared * 6 },
      accumulate: false,
    });
  }
}

/** From the vectors of one pair of tiles to those of the next. */
function vectorStride(points: number, pitch: number): number {
  return points * points * pitch + SPREAD;
}

/** Where transformed weights go: those of a point `distance` after those of the point before. */
interface PointPlace {
  readonly array: Float64Array;
  readonly at: number;
  readonly distance: number;
}

/** to[point][at …][phase][c] ← G·g·Gᵀ of a phase of the weights [c] from `own` on */
function transformWeights(
  { part, high, wide, points, reach }: Tiling,
  { down, right, firstChannel }: Phase,
  own: number,
  { array: to, at, distance }: PointPlace,
): void {
  const { sourceChannels, sourceStride, kernel } = part.direction;
  const { weight } = part.operands;
  const taps = new Int32Array(reach * reach).fill(-1);
  for (let i = 0; down + i * high.step < high.taps.length; i++) {
    for (let j = 0; right + j * wide.step < wide.taps.length; j++) {
      taps[i * reach + j] = high.taps[down + i * high.step] * kernel[2] + wide.taps[right + j * wide.step];
    }
  }
  for (let c = 0; c < sourceChannels; c++) {
    const from = own + c * sourceStride;
    for (let i = 0; i < taps.length; i++) numbers[i] = taps[i] < 0 ? 0 : weight[from + taps[i]];
    transformKernel(points, reach, 0, SQUARE, 2 * SQUARE);
    let p = (at + firstChannel + c) | 0;
    for (let i = 0; i < points * points; i++) {
      to[p] = numbers[(2 * SQUARE + i) & INDEX];
      p = (p + distance) | 0;
    }
  }
}

function transformRun(tiling: Tiling, run: TileRun): void {
  for (const phase of tiling.phases) transformTiles(tiling, phase, run);
}

/** rows[t mod 2][⌊t/2⌋][point][phase][c] ← Bᵀ·d·B of a phase of tile firstTile + t */
function transformTiles(
  { part, high, wide, points, pitch }: Tiling,
  { down, right, firstChannel }: Phase,
  { job, group, firstTile, tiles: count }: TileRun,
): void {
  const { sourceChannels, source } = part.direction;
  const { input } = job;
  const image = sourceOrigin(part, job, group);
  const [, height, width] = source;
  const plane = height * width;
  const stride = vectorStride(points, pitch);
  for (let t = 0; t < count; t++) {
    const at = (t % 2) * CAPACITY + (t >> 1) * stride + firstChannel;
    const y = Math.floor((firstTile + t) / wide.count);
    const x = (firstTile + t) % wide.count;
    const fromY = (y * high.step + down) * points;
    const fromX = (x * wide.step + right) * points;
    const runY = high.runs[y * high.step + down];
    const runX = wide.runs[x * wide.step + right];
    const steps = { high: high.step, wide: wide.step };
    // What no channel's run covers stays zero.
    numbers.fill(0, 0, points * points);
    for (let c = 0; c < sourceChannels; c++) {
      const channel = { input, at: image + c * plane, width };
      if (runY !== null && runX !== null) loadTile(points, channel, steps, runY, runX);
      else {
        const rows = high.sources.subarray(fromY, fromY + points);
        gatherTile(channel, rows, wide.sources.subarray(fromX, fromX + points));
      }
      transformInput(points, 0, SQUARE);
      transformInput(points, SQUARE, 2 * SQUARE);
      let p = (at + c) | 0;
      for (let i = 0; i < points * points; i++) {
        tileVectors[p] = numbers[(2 * SQUARE + i) & INDEX];
        p = (p + pitch) | 0;
      }
    }
  }
}

const INDEX = 4 * SQUARE - 1;

/** A channel of an image. */
interface Plane {
  readonly input: FloatArray;
  readonly at: number;
  readonly width: number;
}

/** The first square ← a tile, but for its zeros, where the source is a run on both axes. */
function loadTile(
  points: number,
  { input, at, width }: Plane,
  { high: stepY, wide: stepX }: { readonly high: number; readonly wide: number },
  runY: Run,
  runX: Run,
): void {
  const columns = runX.end - runX.start;
  for (let i = runY.start; i < runY.end; i++) {
    let from = (at + (runY.first + i * stepY) * width + runX.first + runX.start * stepX) | 0;
    const to = (i * points + runX.start) & INDEX;
    for (let j = 0; j < columns; j++) {
      numbers[(to + j) & INDEX] = input[from];
      from = (from + stepX) | 0;
    }
  }
}

/** The first square ← a tile element by element: rows and columns of the source, or -1 for zeros. */
function gatherTile({ input, at, width }: Plane, rows: Int32Array, columns: Int32Array): void {
  let to = 0;
  for (const y of rows) {
    for (const x of columns) numbers[to++ & INDEX] = y < 0 || x < 0 ? 0 : input[at + y * width + x];
  }
}

/** Some channels of some tiles: Aᵀ·m·A, bias and clamp. */
function storeRun(tiling: Tiling, run: TileRun, { first, channels }: ChannelRun): void {
  const { part, points, tile, wide } = tiling;
  const spacing = points * points * 6;
  const firstChannel = run.group * part.direction.writtenChannels + first;
  for (let t = 0; t < run.tiles; t++) {
    const y = Math.floor((run.firstTile + t) / wide.count);
    const x = (run.firstTile + t) % wide.count;
    for (let m = 0; m < channels; m++) {
      const at = ((t >> 1) * Math.ceil(channels / 3) + Math.floor(m / 3)) * spacing + (t % 2) * 3 + (m % 3);
      const isUsable = gatherBlock(points, tile, at);
      if (!isUsable) sumDirectly(tiling, run, firstChannel + m, y, x);
      storeTile(tiling, run.job, firstChannel + m, y, x);
    }
  }
}

/** The third square ← Aᵀ·m·A of the sums at + 6·point; false when it is not finite. */
function gatherBlock(points: Points, tile: number, at: number): boolean {
  const count = points * points;
  let p = at | 0;
  for (let i = 0; i < count; i++) {
    numbers[i & INDEX] = sums[p];
    p = (p + 6) | 0;
  }
  transformOutput(points, 0, SQUARE, points, tile);
  transformOutput(points, SQUARE, 2 * SQUARE, tile, tile);
  let all = 0;
  for (let i = 0; i < tile; i++) {
    const row = (2 * SQUARE + i * points) & INDEX;
    for (let j = 0; j < tile; j++) all += numbers[(row + j) & INDEX];
  }
  return Number.isFinite(all);
}

/** The tile's outputs that the image has, from the third square. */
function storeTile(
  { part, high, wide, tile, points }: Tiling,
  job: Job,
  channel: number,
  y: number,
  x: number,
): void {
  const [, height, width] = part.direction.written;
  const { output } = job;
  const { clamp } = part.operands;
  const shift = biasOf(part.operands, channel);
  const plane = writtenPlane(part, job, channel) * height * width;
  const lines = Math.min(tile, high.outputs - y * tile);
  const outputs = Math.min(tile, wide.outputs - x * tile);
  for (let i = 0; i < lines; i++) {
    const to = plane + (y * tile + i) * width + x * tile;
    storeRow(numbers, 2 * SQUARE + i * points, outputs, shift, clamp, { output, to, step: 1 });
  }
}

/** The third square ← the tile's outputs by definition. */
function sumDirectly(
  { part, high, wide, tile, points }: Tiling,
  { job, group }: TileRun,
  channel: number,
  y: number,
  x: number,
): void {
  const { sourceChannels, source, sourceStride, kernel } = part.direction;
  const [, gh, gw] = part.lattice;
  const [, height, width] = source;
  const { input } = job;
  const { weight } = part.operands;
  const image = sourceOrigin(part, job, group);
  const own = weightOrigin(part, channel);
  for (let i = 0; i < tile && y * tile + i < high.outputs; i++) {
    for (let j = 0; j < tile && x * tile + j < wide.outputs; j++) {
      let sum = 0;
      for (let c = 0; c < sourceChannels; c++) {
        for (let th = 0; th < gh.taps.length; th++) {
          const row = sourceAt(gh, y * tile + i, th);
          for (let tw = 0; tw < gw.taps.length; tw++) {
            const column = sourceAt(gw, x * tile + j, tw);
            if (row < 0 || column < 0) continue;
            const factor = weight[own + c * sourceStride + gh.taps[th] * kernel[2] + gw.taps[tw]];
            sum += factor * input[image + c * height * width + row * width + column];
          }
        }
      }
      numbers[2 * SQUARE + i * points + j] = sum;
    }
  }
}
