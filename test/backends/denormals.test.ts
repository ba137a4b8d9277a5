/** Denormal numbers are computed with, and the processor is left as JavaScript has it, by calls on every thread. */
import { conv1d, conv1dAsync, matmul, tensor } from 'convmat';
import { expect, test } from 'vitest';

const LEAST_FLOAT = 2 ** -149;

/** Whether arithmetic of JavaScript on this thread keeps them. */
function keepsDenormals(): boolean {
  const [least, two] = new Float64Array([Number.MIN_VALUE, 2]);
  return least * two === 1e-323 && (least * two) / two === Number.MIN_VALUE;
}

test('are results and operands, at once and by other threads', async () => {
  const x = tensor(
    new Float32Array(100_000).map((_, i) => (1 + (i % 7)) * LEAST_FLOAT),
    [1, 1, 100_000],
  );
  const weight = tensor(Float32Array.of(1), [1, 1, 1]);
  expect(conv1d(x, weight).data).toEqual(x.data);
  expect((await conv1dAsync(x, weight)).data).toEqual(x.data);
  expect(keepsDenormals()).toBe(true);
});

test('come of products of normal numbers', () => {
  const [a, b] = [2 ** -100, 2 ** -49].map((v) => tensor(new Float32Array(32 * 32).fill(v), [32, 32]));
  expect(matmul(a, b).data).toEqual(new Float32Array(32 * 32).fill(32 * LEAST_FLOAT));
  expect(keepsDenormals()).toBe(true);
});
