/** Where the values of a run lie: those whose lives do not meet share one arena. */
import { BYTES } from '../tensor/dtype.js';
import { storageOf } from './elements.js';
import type { Lowered } from './steps/lower.js';
import type { Constants, Place } from './steps/words.js';

export interface MemoryPlan {
  readonly places: readonly (Place | null)[];
  readonly arenaBytes: number;
}

/** A line of the caches, and the widest vector. */
const ALIGNMENT = 64;
/** Behind each value: what kernels of whole vectors may read of the next. */
const GAP = 64;

interface Block {
  readonly root: number;
  readonly bytes: number;
  first: number;
  last: number;
  offset: number;
}

/** Blocks that look for room among others, which takes time that grows with the square; smaller ones lie behind them. */
const MOST_FITTED = 4096;

/** Places for every value that a step reads or writes: first fit, the largest first. Pauses between values. */
export function* planningMemory(
  lowered: Lowered,
  constants: Constants,
): Generator<undefined, MemoryPlan, void> {
  const { values, steps, inputs, outputs } = lowered;
  const aliases = new Map(lowered.aliases);
  const rootOf = (value: number): [root: number, offset: number] => {
    let [root, offset] = [value, 0];
    for (let alias = aliases.get(root); alias !== undefined; alias = aliases.get(root)) {
      offset += alias.offset;
      root = alias.within;
    }
    return [root, offset];
  };
  const bytesOf = (value: number) => BYTES[storageOf(values[value].type)];

  const homes = new Map<number, Place>();
  for (const [index, value] of inputs.entries()) homes.set(value, { home: 'input', index, offset: 0 });
  for (const [index, value] of outputs.entries()) homes.set(value, { home: 'output', index, offset: 0 });

  const blocks = new Map<number, Block>();
  steps.forEach((step, time) => {
    for (const value of [...step.reads, ...step.writes]) {
      const [root] = rootOf(value);
      if (homes.has(root) || values[root].known !== null) continue;
      const block = blocks.get(root);
      if (block !== undefined) {
        block.last = time;
        continue;
      }
      const size = lowered.sizeOf(root) * bytesOf(root);
      const bytes = Math.ceil((size + GAP) / ALIGNMENT) * ALIGNMENT;
      blocks.set(root, { root, bytes, first: time, last: time, offset: 0 });
    }
  });

  // A result takes the place of what is read for the last time while it is written.
  steps.forEach((step, time) => {
    if (step.kind === 'script' || step.kind === 'operation' || step.overwrites == null) return;
    const [result] = step.writes;
    const [[from, at], [to, offset]] = [rootOf(step.overwrites), rootOf(result)];
    const [before, after] = [blocks.get(from), blocks.get(to)];
    if (before === undefined || after === undefined || from === to || at !== 0 || offset !== 0) return;
    // Other operands are read for elements that are written already.
    if (step.reads.filter((value) => rootOf(value)[0] === from).length > 1) return;
    if (before.last !== time || after.first !== time || before.bytes !== after.bytes) return;
    before.last = after.last;
    blocks.delete(to);
    aliases.set(to, { within: from, offset: 0 });
  });

  let arenaBytes = 0;
  // By their offsets.
  const placed: Block[] = [];
  const largestFirst = [...blocks.values()].sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  for (const block of largestFirst.slice(0, MOST_FITTED)) {
    yield;
    let offset = 0;
    for (const other of placed) {
      if (other.first > block.last || block.first > other.last) continue;
      if (offset + block.bytes <= other.offset) break;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    block.offset = offset;
    arenaBytes = Math.max(arenaBytes, offset + block.bytes);
    const behind = placed.findIndex((other) => other.offset > offset);
    placed.splice(behind < 0 ? placed.length : behind, 0, block);
  }
  for (const block of largestFirst.slice(MOST_FITTED)) {
    block.offset = arenaBytes;
    arenaBytes += block.bytes;
  }

  const read = new Set(steps.flatMap((step) => step.reads));
  const places = values.map((value): Place | null => {
    const [root, offset] = rootOf(value.id);
    const bytes = offset * bytesOf(value.id);
    const home = homes.get(root);
    if (home !== undefined) return { ...home, offset: bytes };
    if (values[root].known !== null) {
      const constant = read.has(value.id) ? values[root].constant : null;
      return constant === null
        ? null
        : { home: 'constant', index: constants.number(constant), offset: bytes };
    }
    const block = blocks.get(root);
    return block === undefined ? null : { home: 'arena', index: 0, offset: block.offset + bytes };
  });
  return { places, arenaBytes };
}
