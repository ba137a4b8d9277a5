import { expect, test } from 'vitest';
import { planningMemory } from '../../dist/graph/memory.js';
import { atOnce } from '../../dist/host/pace.js';

type Lowered = Parameters<typeof planningMemory>[0];
type Constants = Parameters<typeof planningMemory>[1];

/** Values of `size` elements that are written one after another, each read for the last time `life` steps later. */
function chainOf(count: number, life: number, size: (i: number) => number): Lowered {
  const values = Array.from({ length: count }, (_, id) => ({
    ...{ id, name: `v${id}`, type: 'float32', shape: [size(id)], known: null },
  }));
  const steps = values.map(({ id }) => ({ reads: id < life ? [] : [id - life], writes: [id] }));
  const lowered = { values, steps, aliases: new Map(), inputs: [], outputs: [], results: [], sizeOf: size };
  return lowered as unknown as Lowered;
}

const NO_CONSTANTS = { number: () => 0 } as unknown as Constants;

// Above some thousand blocks the small ones look for no room among the others.
test.each([
  { count: 300, life: 3 },
  { count: 4096, life: 40 },
  { count: 4097, life: 40 },
  { count: 6000, life: 7 },
])('$count values that live for $life steps do not overlap', ({ count, life }) => {
  const size = (i: number): number => 1 + ((i * 7919) % 100);
  const { places, arenaBytes } = atOnce(planningMemory(chainOf(count, life, size), NO_CONSTANTS));
  const spans = places.map((place, i) => {
    if (place?.home !== 'arena') throw new Error(`v${i} has no place in the arena`);
    return { from: place.offset, to: place.offset + 4 * size(i) };
  });
  for (const [i, { from, to }] of spans.entries()) {
    expect(from % 64).toBe(0);
    expect(to).toBeLessThanOrEqual(arenaBytes);
    // The last of them are read by nobody.
    if (i + life >= count) continue;
    for (let j = i + 1; j <= i + life; j++)
      expect(from >= spans[j].to || spans[j].from >= to, `v${i} and v${j}`).toBe(true);
  }
});
