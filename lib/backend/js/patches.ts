/** Convolution as a product of packed patches and weights, a group at a time. */
import { product } from '../../numbers.js';
import { multiply, type Product, rows, type Slice } from './gemm.js';
import { type ImageConvolution, type Part, sourceOrigin } from './job.js';
import { packPatches, packWeights, type Steps, stepsOf } from './pack.js';
import { storeTiles } from './store.js';

export function convolvePatches(part: Part): ImageConvolution {
  const { direction, lattice } = part;
  const steps = stepsOf(direction, lattice);
  const columns = product(lattice.map((gather) => gather.count));
  const packers = Array.from({ length: direction.groups }, (_, group) =>
    part.isReused
      ? keptRows(part, group, steps)
      : (slice: Slice) => packWeights(part, group, steps.weight, slice, rows),
  );
  return function* (job) {
    for (const [group, packRows] of packers.entries()) {
      const source = { elements: job.input, origin: sourceOrigin(part, job, group) };
      const patches: Product = {
        rows: direction.writtenChannels,
        columns,
        depth: steps.source.length,
        packRows,
        packColumns: (slice) => packPatches(part, steps.source, source, slice),
        store: (block) => storeTiles(part, job, group, block),
      };
      yield* multiply(patches, job.unitSize);
    }
  };
}

/** packRows for weights that are packed once, when they are needed first. */
function keptRows(part: Part, group: number, steps: Steps): (slice: Slice) => void {
  const channels = part.direction.writtenChannels;
  const pairs = Math.ceil(channels / 2);
  const kept = rows.map(() => new Float64Array(pairs * steps.weight.length));
  const packed = new Set<number>();
  return ({ first, count, start, depth }) => {
    // Multiples of one depth are asked for, whatever the block.
    const block = start * pairs;
    if (!packed.has(start)) {
      const all = { first: 0, count: channels, start, depth };
      packWeights(
        part,
        group,
        steps.weight,
        all,
        kept.map((array) => array.subarray(block)),
      );
    }
    packed.add(start);
    const from = block + (first >> 1) * depth;
    const to = from + Math.ceil(count / 2) * depth;
    for (let i = 0; i < rows.length; i++) rows[i].set(kept[i].subarray(from, to));
  };
}
