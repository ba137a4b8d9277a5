import 'convmat'; // configures the addon
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../dist/backend/native/loader.js';
import { withoutAddon } from '../support/addon';
import { runProgram } from '../support/program';

interface Counts {
  readonly refused: number;
  readonly worked: number;
  /** Networks whose words it changed, one after the other. */
  readonly networks: number;
  /** Functions of the addon that the program does not know. */
  readonly untried: readonly string[];
  /** Plans that no kernel serves, and that were not refused for it. */
  readonly accepted: readonly string[];
  readonly right: boolean;
}

test.skipIf(withoutAddon)('nothing that the addon is called with ends the process', () => {
  const url = new URL('./programs/hostile.cjs', import.meta.url);
  const { refused, worked, networks, ...rest } = runProgram(url, {
    env: { CONVMAT_BACKEND: 'native' },
  }) as Counts;
  expect(rest).toEqual({ untried: [], accepted: [], right: true });
  expect(refused).toBeGreaterThan(2000);
  expect(worked).toBeGreaterThan(200);
  expect(networks).toBeGreaterThanOrEqual(3);
});

describe.skipIf(withoutAddon)('a sparse matrix whose arrays change meanwhile', () => {
  const { addon } = loadAddon();
  const SIZE = 64;
  /** The identity, in memory of the given kind. */
  function identity(make: (bytes: number) => ArrayBufferLike) {
    const indptr = new Int32Array(make(4 * (SIZE + 1))).map((_, i) => i);
    const bytes = make(8 * SIZE);
    const indices = new Int32Array(bytes, 0, SIZE);
    for (let i = 0; i < SIZE; i++) indices[i] = i;
    return { indptr, indices, bytes, data: new Float32Array(SIZE).fill(2) };
  }
  const x = Float32Array.from({ length: SIZE }, (_, i) => 1e9 + i);

  test('a result over its offsets or columns is refused', () => {
    const { indptr, indices, bytes, data } = identity((size) => new ArrayBuffer(size));
    const matrix = [SIZE, SIZE, indptr, indices, data] as const;
    for (const result of [
      new Float32Array(bytes, 0, SIZE),
      new Float32Array(bytes, 4 * (SIZE - 1), SIZE),
      new Float32Array(indptr.buffer, 0, SIZE),
    ]) {
      expect(() => addon?.csrMatvec(...matrix, x, result)).toThrow('expected memory of its own');
      expect(() => addon?.csrRmatvec(...matrix, x, result, false)).toThrow('expected memory of its own');
      expect(() => addon?.csrMatmat(...matrix, 1, x, result)).toThrow('expected memory of its own');
    }
    const behind = new Float32Array(bytes, 4 * SIZE, SIZE);
    addon?.csrMatvec(...matrix, x, behind);
    expect(behind).toEqual(x.map((value) => 2 * value));
  });

  test('in memory that other threads share it is multiplied as it was when it was checked', () => {
    const { indptr, indices, data } = identity((size) => new SharedArrayBuffer(size));
    const y = new Float32Array(SIZE);
    addon?.csrMatvec(SIZE, SIZE, indptr, indices, data, x, y);
    expect(y).toEqual(x.map((value) => 2 * value));
  });
});

test.skipIf(withoutAddon)('what is refused is told with what came', () => {
  const { addon } = loadAddon();
  const call = addon?.fft as unknown as (...values: unknown[]) => void;
  const real = new Float32Array(4);
  expect(() => call(null, null, real, real, 1)).toThrow('expected a typed array, got null');
  expect(() => call(real, null, new Int8Array(4), real, 1)).toThrow('expected a Float32Array, got Int8Array');
  expect(() => call(real, null, real, real, 'much')).toThrow('expected a number, got a string');
});
