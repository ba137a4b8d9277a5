import { ArgumentError, backendInfo, conv2d, setNumThreads } from 'convmat';
import { afterEach, describe, expect, test } from 'vitest';
import { expectSame } from '../support/compare';
import { random } from '../support/random';

const { CONVMAT_BACKEND, CONVMAT_ISA } = process.env;

describe('backendInfo()', () => {
  test('shows the backend and instruction set that this run was forced to', () => {
    const info = backendInfo();
    if (CONVMAT_BACKEND) expect(info.backend).toBe(CONVMAT_BACKEND);
    if (CONVMAT_ISA) expect(info.isa).toBe(CONVMAT_ISA);
    if (info.backend === 'js') expect(info.isa).toBe('js');
    if (info.backend === 'native') expect(info.fallbackReason).toBeUndefined();
    else expect(info.fallbackReason).toMatch(/\w/);
  });

  test('shows the version of the package and the number of threads', () => {
    expect(backendInfo().version).toMatch(/^\d+\.\d+\.\d+/);
    expect(backendInfo().threads).toBeGreaterThanOrEqual(1);
  });
});

describe('setNumThreads()', () => {
  const initial = backendInfo().threads;
  afterEach(() => setNumThreads(initial));

  test('results are the same bits for any number of threads', () => {
    const x = random([2, 16, 30, 31]);
    const w = random([24, 16, 3, 3], 'float32', 2);
    const results = [1, 2, 3, 7].map((threads) => {
      setNumThreads(threads);
      return conv2d(x, w, { padding: 1 });
    });
    for (const result of results) expectSame(result, results[0]);
  });

  test.each([0, -1, 1.5, NaN, Infinity, '2', null])('refuses %s', (n) => {
    expect(() => setNumThreads(n as number)).toThrow(ArgumentError);
    expect(() => setNumThreads(n as number)).toThrow(/^n: expected an integer from 1 to \d+, got/);
  });
});
