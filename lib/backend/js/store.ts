/** The last write of a convolution: sums become results, with bias and clamp. */
import type { FloatArray } from '../../tensor/dtype.js';
import type { Clamp } from '../backend.js';
import { type Direction, product } from './direction.js';
import type { Lattice } from './gather.js';
import { tileAt, tiles } from './gemm.js';
import type { Block } from './row-blocks.js';

export interface Finish {
  /** Per channel of the written tensor. */
  readonly bias: FloatArray | null;
  readonly clamp: Clamp;
}

/** output[to + i·step] ← sums[at + i] + shift, clamped; NaN passes. */
export function storeRow(
  sums: Float64Array,
  at: number,
  count: number,
  shift: number,
  { min, max }: Clamp,
  output: FloatArray,
  to: number,
  step: number,
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
 * Writes a block of sums: row i is channel firstChannel + i, column j is position firstPosition + j of the lattice.
 * @param image  The image's number.
 * @param firstChannel  Counted over all groups.
 */
export function storeTiles(
  { written, writtenChannels, groups }: Direction,
  [gd, gh, gw]: Lattice,
  { bias, clamp }: Finish,
  output: FloatArray,
  image: number,
  firstChannel: number,
  channels: number,
  firstPosition: number,
  positions: number,
): void {
  const plane = product(written);
  const isDense = gd.step === 1 && gh.step === 1 && gw.step === 1;
  const places = isDense ? null : placesOf(written, [gd, gh, gw], firstPosition, positions);
  for (let i = 0; i < channels; i++) {
    const channel = firstChannel + i;
    const base = (image * groups * writtenChannels + channel) * plane;
    const shift = bias === null ? 0 : bias[channel];
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

/** Writes a block of rows: channel firstChannel + i from sums[i], a row of the block after the other. */
export function storeRows(
  { written, writtenChannels, groups }: Direction,
  [gd, gh, gw]: Lattice,
  { bias, clamp }: Finish,
  output: FloatArray,
  image: number,
  firstChannel: number,
  channels: number,
  { depth: d, firstRow, rows, firstColumn, columns }: Block,
  sums: readonly Float64Array[],
): void {
  const [depth, height, width] = written;
  const z = gd.start + d * gd.step;
  for (let i = 0; i < channels; i++) {
    const from = sums[i];
    const channel = firstChannel + i;
    const shift = bias === null ? 0 : bias[channel];
    const plane = (image * groups * writtenChannels + channel) * depth + z;
    for (let row = 0; row < rows; row++) {
      const y = gh.start + (firstRow + row) * gh.step;
      const to = (plane * height + y) * width + gw.start + firstColumn * gw.step;
      storeRow(from, row * columns, columns, shift, clamp, output, to, gw.step);
    }
  }
}

/** Every element of an image as if nothing reached it. */
export function storeBias(
  { written, writtenChannels, groups }: Direction,
  { bias, clamp }: Finish,
  output: FloatArray,
  image: number,
): void {
  const channels = groups * writtenChannels;
  const plane = product(written);
  for (let channel = 0; channel < channels; channel++) {
    const value = Math.min(Math.max(bias === null ? 0 : bias[channel], clamp.min), clamp.max);
    const at = (image * channels + channel) * plane;
    output.fill(value, at, at + plane);
  }
}
