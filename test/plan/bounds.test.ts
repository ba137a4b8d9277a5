/** Bounds that spare the choice of an algorithm most of its effort: never more than the times that they stand for. */
import { backendInfo } from 'convmat';
import { describe, expect, test } from 'vitest';
import { backend } from '../../dist/backend/select.js';
import { NATIVE_ALGORITHMS } from '../../dist/plan/algorithms/index.js';
import { timesOf } from '../../dist/plan/model/times.js';
import { Workload } from '../../dist/plan/model/workload.js';
import { toTriple } from '../../dist/plan/options/axes.js';
import { stream } from '../support/random';

const CASES = 2000;
const { machine } = backend();

describe.runIf(backendInfo().backend === 'native')('times of Fourier tiles', () => {
  test('are no less than what bounds them, whatever the geometry', () => {
    if (machine.isa === 'js') return;
    const next = stream(11);
    const pick = <T>(...list: readonly T[]) => list[Math.floor(next() * list.length)];
    const request = {
      algorithm: 'auto',
      accuracy: 'fast',
      precision: 'float32',
      density: 1,
      separable: false,
    } as const;
    let compared = 0;
    for (let i = 0; i < CASES; i++) {
      const rank = pick(1, 2, 3);
      const groups = pick(1, 3);
      const axes = Array.from({ length: rank }, () => {
        const [kernel, stride, dilation] = [pick(1, 2, 5, 31, 200), pick(1, 2), pick(1, 3)];
        const size = (kernel - 1) * dilation + 1 + Math.floor(next() * pick(1, 40, 500));
        const out = Math.floor((size - (kernel - 1) * dilation - 1) / stride) + 1;
        return { in: size, kernel, stride, dilation, padBefore: 0, padAfter: 0, out };
      });
      const g = {
        op: 'forward',
        dtype: pick('float32', 'float64'),
        rank,
        batch: pick(1, 2, 5),
        groups,
        inChannels: groups * pick(1, 2, 40),
        outChannels: groups * pick(1, 3, 40),
        axes: toTriple(axes),
        paddingMode: 'zeros',
      } as const;
      const work = new Workload(g, machine.tuning, timesOf(machine.isa));
      for (const algorithm of NATIVE_ALGORITHMS.fft) {
        if (algorithm.atLeast === undefined) continue;
        if (algorithm.declines(g, request) !== null) continue;
        expect(algorithm.atLeast(work), JSON.stringify(g)).toBeLessThanOrEqual(
          algorithm.time(work, request, 1),
        );
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(CASES / 4);
  });
});
