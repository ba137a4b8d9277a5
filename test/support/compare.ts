import { expect } from 'vitest';
import type { Tolerance } from './tolerance';

interface Values {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/**
 * Expects `actual` within the tolerance of `expected`. NaN and infinities must stand where they are expected.
 *
 * @param magnitude  What rounding errors are measured against, element by element: the same sum over absolute values.
 */
export function expectWithin(
  actual: Values,
  expected: Values,
  magnitude: Values,
  { factor, scale }: Tolerance,
): void {
  expect(actual.shape).toEqual(expected.shape);
  const finite = Array.from(magnitude.data).filter(Number.isFinite);
  const largest = finite.reduce((a, b) => Math.max(a, b), 0);
  let worst = { at: -1, excess: 0, got: 0, want: 0 };
  for (let at = 0; at < expected.data.length; at++) {
    const [got, want] = [actual.data[at], expected.data[at]];
    const allowed = factor * (scale === 'largest' ? largest : magnitude.data[at]);
    const fits = Object.is(got, want) || got === want || Math.abs(got - want) <= allowed;
    const excess = fits ? 0 : Number.isFinite(got - want) ? Math.abs(got - want) / allowed : Infinity;
    if (excess > worst.excess) worst = { at, excess, got, want };
  }
  if (worst.at >= 0) {
    const { at, excess, got, want } = worst;
    expect.fail(
      `element ${at}: got ${got}, expected ${want}: ${excess.toPrecision(3)} times the allowed error`,
    );
  }
}

/** Expects the same shape, dtype and numbers, bit for bit. */
export function expectSame(actual: Values, expected: Values): void {
  expect(actual.shape).toEqual(expected.shape);
  if (!sameBytes(actual.data, expected.data)) expect(actual.data).toEqual(expected.data);
}

/** The same kind of array with the same bits: a thousand times faster than comparing as toEqual does. */
function sameBytes(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return false;
  if (a.byteLength !== b.byteLength) return false;
  const bytes = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const [left, right] = [bytes(a), bytes(b)];
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
