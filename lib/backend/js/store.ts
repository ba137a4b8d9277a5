/** The last write of a convolution: sums become results, with bias and clamp. */
import { product } from '../../numbers.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { Clamp, ConvOperands } from '../backend.js';
import type { Direction } from './direction.js';
import type { Lattice } from './gather.js';
import { type Region, tileAt, tiles } from './gemm.js';
import { biasOf, type Job, type Part, writtenPlane } from './job.js';
import type { Block } from './row-blocks.js';

/** Where a row of sums goes: every `step`-th element from `to` on. */
export interface RowPlace {
  readonly output: FloatArray;
  readonly to: number;
  readonly step: number;
}

/** output[to + i·step] ← sums[at + i] + shift, clamped; NaN passes. */
export function storeRow(
  sums: Float64Array,
  at: number,
  count: number,
  shift: number,
  { min, max }: Clamp,
  { output, to, step }: RowPlace,
): void {
  let q = to | 0;
  if (min === -Infinity && max === Infinity) {
    for (let i = at; i < at + count; i++) {
      output[q] = sums[i] + shift;
      q = (q + step) | 0;
    }
    return;
  }
  for (let i = at; i < at + count; i++) {
    output[q] = Math.min(Math.max(sums[i] + shift, min), max);
    q = (q + step) | 0;
  }
}

/**
 * Writes a block of sums: its rows are channels of a group, its columns positions of the lattice.
 */
export function storeTiles(
  part: Part,
  job: Job,
  group: number,
  { firstRow, rowCount, firstColumn: firstPosition, columnCount: positions }: Region,
): void {
  const { direction, lattice, operands } = part;
  const { written, writtenChannels } = direction;
  const { output } = job;
  const { clamp } = operands;
  const isDense = lattice.every((gather) => gather.step === 1);
  const places = isDense ? null : placesOf(written, lattice, firstPosition, positions);
  for (let i = 0; i < rowCount; i++) {
    const channel = group * writtenChannels + firstRow + i;
    const base = writtenPlane(part, job, channel) * product(written);
    const shift = biasOf(operands, channel);
    const tile = tileAt(i, 0, positions);
    if (places === null) storeTileRow(tile, positions, shift, clamp, output, base + firstPosition);
    else storeScattered(tile, places, shift, clamp, output, base);
  }
}

/** Where the positions of a lattice that does not fill its image are. */
function placesOf(
  [, height, width]: Direction['written'],
  [gd, gh, gw]: Lattice,
  first: number,
  count: number,
): Int32Array {
  const places = new Int32Array(count);
  for (let j = 0; j < count; j++) {
    const at = first + j;
    const w = gw.start + (at % gw.count) * gw.step;
    const h = gh.start + (Math.floor(at / gw.count) % gh.count) * gh.step;
    const d = gd.start + Math.floor(at / gw.count / gh.count) * gd.step;
    places[j] = (d * height + h) * width + w;
  }
  return places;
}

/** output[to …] ← a row of the sums' tiles, which begins at `tile`. */
function storeTileRow(
  tile: number,
  count: number,
  shift: number,
  { min, max }: Clamp,
  output: FloatArray,
  to: number,
): void {
  const end = to + count;
  let at = tile | 0;
  let q = to | 0;
  if (min === -Infinity && max === Infinity) {
    for (; q < end - 2; q = (q + 3) | 0) {
      output[q] = tiles[at] + shift;
      output[(q + 1) | 0] = tiles[(at + 1) | 0] + shift;
      output[(q + 2) | 0] = tiles[(at + 2) | 0] + shift;
      at = (at + 6) | 0;
    }
    for (; q < end; q++) output[q] = tiles[at++] + shift;
    return;
  }
  for (; q < end - 2; q = (q + 3) | 0) {
    output[q] = Math.min(Math.max(tiles[at] + shift, min), max);
    output[(q + 1) | 0] = Math.min(Math.max(tiles[(at + 1) | 0] + shift, min), max);
    output[(q + 2) | 0] = Math.min(Math.max(tiles[(at + 2) | 0] + shift, min), max);
    at = (at + 6) | 0;
  }
  for (; q < end; q++) output[q] = Math.min(Math.max(tiles[at++] + shift, min), max);
}

function storeScattered(
  tile: number,
  places: Int32Array,
  shift: number,
  { min, max }: Clamp,
  output: FloatArray,
  base: number,
): void {
  let at = tile;
  for (let j = 0; j < places.length; j += 3, at += 6) {
    for (let k = 0; k < 3 && j + k < places.length; k++) {
      output[base + places[j + k]] = Math.min(Math.max(tiles[at + k] + shift, min), max);
    }
  }
}

/** Writes a block of rows of a channel, counted over all groups, from the sums: a row of the block after the other. */
export function storeRows(part: Part, job: Job, channel: number, block: Block, sums: Float64Array): void {
  const { direction, lattice, operands } = part;
  const [depth, height, width] = direction.written;
  const [gd, gh, gw] = lattice;
  const { output } = job;
  const { rows, columns } = block;
  const shift = biasOf(operands, channel);
  const plane = writtenPlane(part, job, channel) * depth + gd.start + block.depth * gd.step;
  for (let row = 0; row < rows; row++) {
    const y = gh.start + (block.firstRow + row) * gh.step;
    const to = (plane * height + y) * width + gw.start + block.firstColumn * gw.step;
    storeRow(sums, row * columns, columns, shift, operands.clamp, { output, to, step: gw.step });
  }
}

/** Every element of an image as if nothing reached it. */
export function storeBias(
  { written, writtenChannels, groups }: Direction,
  operands: ConvOperands,
  { output, outputImage }: Job,
): void {
  const channels = groups * writtenChannels;
  const plane = product(written);
  const { min, max } = operands.clamp;
  for (let channel = 0; channel < channels; channel++) {
    const value = Math.min(Math.max(biasOf(operands, channel), min), max);
    const at = (outputImage * channels + channel) * plane;
    output.fill(value, at, at + plane);
  }
}
