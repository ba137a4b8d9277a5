/** Every operation on any problem that it takes: against the oracle, and the same bits however it is called. */
import * as convmat from 'convmat';
import { CsrMatrix, fixed, signal, Tensor } from 'convmat';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { activate } from '../oracle/activation';
import { biasGrad, conv, convTranspose } from '../oracle/conv';
import { fourier, linear } from '../oracle/linear';
import { matmul } from '../oracle/lowering';
import { absolute, product, type Values } from '../oracle/window';
import { ALGORITHM_OPTIONS } from '../support/algorithms';
import { expectSame, expectWithin } from '../support/compare';
import { check, checkAsync } from '../support/fuzz';
import { anyProblem, LARGE, type Problem } from '../support/problems';
import { prune, random, stream } from '../support/random';
import { shifted } from '../support/shifted';
import { type Float, sums, transformed } from '../support/tolerance';

const { threads } = convmat.backendInfo();
afterEach(() => convmat.setNumThreads(threads));

const CONV = { 1: convmat.conv1d, 2: convmat.conv2d, 3: convmat.conv3d };
const ASYNC = { 1: convmat.conv1dAsync, 2: convmat.conv2dAsync, 3: convmat.conv3dAsync };
const TRANSPOSE = { 1: convmat.convTranspose1d, 2: convmat.convTranspose2d, 3: convmat.convTranspose3d };
const FLOATS = ['float32', 'float64'] as const;

function rankOf(shape: readonly number[]): 1 | 2 | 3 {
  return (shape.length - 2) as 1 | 2 | 3;
}

const ACTIVATIONS = ['none', 'relu', 'relu6', { clip: [-0.25, 0.5] }] as const;

// The promise of docs/reliability.md: the bits depend on the input and the algorithm alone.
test('any convolution: the same bits by every call, thread count, alignment and run', async () => {
  const manner = fc.record({
    algorithm: fc.constantFrom(...ALGORITHM_OPTIONS),
    accuracy: fc.constantFrom('fast' as const, 'strict' as const),
    activation: fc.constantFrom(...ACTIVATIONS),
    hasBias: fc.boolean(),
    pruned: fc.boolean(),
    threadCounts: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
    shift: fc.integer({ min: 1, max: 17 }),
  });
  await checkAsync(
    fc.asyncProperty(anyProblem(LARGE), fc.nat(1e6), manner, async (problem, seed, how) => {
      const { input, weight, options, dtype } = problem;
      const rank = rankOf(weight);
      const x = random(input, dtype, seed);
      const w = how.pruned ? prune(random(weight, dtype, seed + 1), 0.8) : random(weight, dtype, seed + 1);
      const bias = how.hasBias ? random([weight[0]], dtype, seed + 2) : null;
      const { activation } = how;
      const all = { ...options, bias, activation, algorithm: how.algorithm, accuracy: how.accuracy } as const;
      convmat.setNumThreads(how.threadCounts[0]);
      let y: Tensor;
      try {
        y = CONV[rank](x, w, all);
      } catch (error) {
        if (error instanceof convmat.UnsupportedError) return; // the algorithm declines the geometry
        throw error;
      }
      const exact = activate(conv(x, w, options, bias), activation);
      const magnitude = conv(absolute(x), absolute(w), options, bias && absolute(bias));
      expectWithin(y, exact, magnitude, transformed(product(weight.slice(1)), dtype));

      convmat.setNumThreads(how.threadCounts[1]);
      const out = new Tensor(shifted(y, how.shift).data.fill(Number.NaN), y.shape);
      const moved = [shifted(x, how.shift), shifted(w, 1 + (how.shift % 7))] as const;
      expect(CONV[rank](...moved, { ...all, bias: bias && shifted(bias, how.shift), out })).toBe(out);
      expectSame(out, y);
      using prepared = convmat.prepareConv(w, all);
      expectSame(prepared.run(x), y);
      out.data.fill(Number.NaN);
      expectSame(prepared.run(moved[0], out), y);
      const [once, ready] = await Promise.all([ASYNC[rank](...moved, all), prepared.runAsync(x)]);
      expectSame(once, y);
      expectSame(ready, y);
    }),
    { numRuns: 60 },
  );
});

test('any transposed convolution', () => {
  const zeroPadded = anyProblem(LARGE).filter(({ options }) => options.paddingMode === 'zeros');
  check(
    fc.property(zeroPadded, fc.nat(1e6), fc.boolean(), (problem, seed, hasBias) => {
      const { weight, options, dtype } = problem;
      const { paddingMode: _, groups = 1, ...rest } = options;
      const [outChannels, inPerGroup, ...kernel] = weight;
      // What the forward problem reads becomes what this one writes.
      const read = conv(random(problem.input), random(weight), options).shape;
      const w = random([outChannels, inPerGroup, ...kernel], dtype, seed);
      const x = random(read, dtype, seed + 1);
      const bias = hasBias ? random([inPerGroup * groups], dtype, seed + 2) : null;
      const stride = rest.stride as readonly number[];
      const outputPadding = stride.map((s, axis) => (seed >> axis) % s);
      const all = { ...rest, groups, outputPadding };
      const { dilation, padding } = rest as { dilation: number[]; padding: [number, number][] };
      const places = kernel.map((k, axis) => {
        const reach =
          (read[read.length - kernel.length + axis] - 1) * stride[axis] + dilation[axis] * (k - 1);
        return reach + 1 - padding[axis][0] - padding[axis][1] + outputPadding[axis];
      });
      const call = () => TRANSPOSE[rankOf(weight)](x, w, { ...all, bias } as object);
      if (Math.min(...places) < 1) {
        expect(call).toThrow(convmat.ShapeError); // all of it is cropped
        return;
      }
      const taps = product(kernel) * (outChannels / groups);
      expectWithin(
        call(),
        convTranspose(x, w, all, bias),
        convTranspose(absolute(x), absolute(w), all, bias && absolute(bias)),
        transformed(taps, dtype),
      );
      const rank = rankOf(weight);
      if (x.shape.length !== rank + 2) return; // without a batch axis nobody can tell the rank
      const bound = sums(x.size / Math.max(1, x.shape[1]), dtype);
      expectWithin(convmat.convBiasGrad(x), biasGrad(x, rank), biasGrad(absolute(x), rank), bound);
    }),
    { numRuns: 100 },
  );
});

/** Small as a rule, past the blocks of the drivers now and then. */
const extent = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 150 }) },
);

test('any product of matrices', () => {
  const dtypes = fc.constantFrom(
    ...(['float32', 'float64'] as const).map((dtype) => [dtype, dtype] as const),
    ...(['int8', 'uint8'] as const).flatMap((a) => (['int8', 'uint8'] as const).map((b) => [a, b] as const)),
  );
  check(
    fc.property(fc.tuple(extent, extent, extent), dtypes, fc.nat(1e6), ([m, n, k], [da, db], seed) => {
      const [a, b] = [random([m, k], da, seed), random([k, n], db, seed + 1)];
      const c = convmat.matmul(a, b);
      const exact = matmul(a, b);
      if (da === 'int8' || da === 'uint8') {
        expect(c.dtype).toBe('int32');
        expect([...c.data]).toEqual([...exact.data]); // far below 2^31 at these sizes
      } else expectWithin(c, exact, matmul(absolute(a), absolute(b)), sums(k, da));
    }),
    { numRuns: 100 },
  );
});

test('any sparse matrix', () => {
  const dtype = fc.constantFrom<Float>(...FLOATS);
  check(
    fc.property(
      extent,
      extent,
      fc.integer({ min: 0, max: 9 }),
      dtype,
      fc.nat(1e6),
      (rows, cols, k, type, seed) => {
        const next = stream(seed);
        const count = rows * cols === 0 ? 0 : Math.floor(next() ** 3 * 2 * rows * cols);
        const [row, col] = [rows, cols].map((size) =>
          Int32Array.from({ length: count }, () => next() * size),
        );
        const values = random([count], type, seed + 1).data as Float32Array;
        const A = CsrMatrix.fromCOO([rows, cols], row, col, values);
        const dense = { data: new Float64Array(rows * cols), shape: [rows, cols] };
        const merged = { data: new Float64Array(rows * cols), shape: [rows, cols] };
        values.forEach((value, i) => {
          dense.data[row[i] * cols + col[i]] += value;
          merged.data[row[i] * cols + col[i]] += Math.abs(value);
        });
        const turned = (m: Values) => ({
          data: Float64Array.from(
            { length: rows * cols },
            (_, i) => m.data[(i % rows) * cols + Math.floor(i / rows)],
          ),
          shape: [cols, rows],
        });
        // Each entry is a sum of up to `count` values before it is multiplied.
        const bound = (length: number) => sums(length + count, type);
        const flat = (data: ArrayLike<number>, shape: readonly number[]) => ({ data, shape });
        const x = random([cols, 1], type, seed + 2);
        const y = random([rows, 1], type, seed + 3);
        expectWithin(
          flat(A.matvec(x), [rows, 1]),
          matmul(dense, x),
          matmul(merged, absolute(x)),
          bound(cols),
        );
        const back = [matmul(turned(dense), y), matmul(turned(merged), absolute(y))] as const;
        expectWithin(flat(A.rmatvec(y), [cols, 1]), ...back, bound(rows));
        expectWithin(flat(A.T.matvec(y), [cols, 1]), ...back, bound(rows));
        const X = random([cols, k], type, seed + 4);
        expectWithin(A.matmat(X), matmul(dense, X), matmul(merged, absolute(X)), bound(cols));
        expectWithin(A.toDense(), dense, merged, sums(count, type));
      },
    ),
    { numRuns: 100 },
  );
});

/** ‖a‖·‖b‖ and log₂ of the length: what Fourier transforms err in proportion to. */
function transformError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const norm = (v: ArrayLike<number>) => Math.sqrt(Array.from(v).reduce((sum, x) => sum + x * x, 0));
  return 2 ** -50 * Math.log2(4 * (a.length + b.length) + 2) * norm(a) * norm(b);
}

test('any circular convolution and transform', () => {
  const length = fc.integer({ min: 1, max: 300 });
  check(
    fc.property(length, length, length, fc.nat(1e6), (p, q, n, seed) => {
      const [a, b] = [random([p], 'float64', seed), random([q], 'float64', seed + 1)];
      const full = linear(a, b, 'full').data;
      const wrapped = new Float64Array(n);
      full.forEach((value, i) => {
        wrapped[i % n] += value;
      });
      const ones = (count: number) => ({ data: new Float64Array(count).fill(1), shape: [count] });
      const allowed = {
        factor: transformError(a.data, b.data) * Math.ceil((p + q) / n),
        scale: 'own',
      } as const;
      expectWithin(
        { data: signal.cconv(a, b, n), shape: [n] },
        { data: wrapped, shape: [n] },
        ones(n),
        allowed,
      );

      const re = Float64Array.from({ length: n }, (_, i) => a.data[i] ?? 0);
      const im = Float64Array.from({ length: n }, (_, i) => b.data[i] ?? 0);
      const exact = fourier(re, im);
      const got = signal.fft({ re, im }, n);
      const back = signal.ifft(got);
      const norm = Math.hypot(...re, ...im);
      const near = { factor: 2 ** -50 * Math.log2(2 * n + 2) * norm, scale: 'own' } as const;
      for (const part of ['re', 'im'] as const) {
        // The definition's own sums err by n roundings.
        const loose = { ...near, factor: near.factor + n * 2 ** -52 * norm };
        expectWithin({ data: got[part], shape: [n] }, { data: exact[part], shape: [n] }, ones(n), loose);
        const original = part === 're' ? re : im;
        expectWithin({ data: back[part], shape: [n] }, { data: original, shape: [n] }, ones(n), near);
      }
    }),
    { numRuns: 100 },
  );
});

const BYTES = ['int8', 'uint8'] as const;

test('any convolution of integers', () => {
  const zero = fc.record({ input: fc.nat(255), weight: fc.nat(255), perChannel: fc.boolean() });
  const scale = fc.double({ min: 2 ** -10, max: 4, noNaN: true }).map(Math.fround);
  check(
    fc.property(
      anyProblem(LARGE),
      fc.tuple(fc.constantFrom(...BYTES), fc.constantFrom(...BYTES), fc.constantFrom(...BYTES)),
      zero,
      fc.tuple(scale, scale, scale),
      fc.boolean(),
      fc.nat(1e6),
      ({ input, weight, options }: Problem, [dx, dw, dy], zeros, [sx, sw, sy], hasBias, seed) => {
        const { paddingMode: mode } = options;
        const x = random(input, dx, seed);
        const w = random(weight, dw, seed + 1);
        const point = (value: number, dtype: 'int8' | 'uint8') => (dtype === 'int8' ? value - 128 : value);
        const inputZeroPoint = point(zeros.input, dx);
        const points = Array.from({ length: weight[0] }, (_, o) =>
          point(zeros.perChannel ? (zeros.weight + 37 * o) % 256 : zeros.weight, dw),
        );
        const weightZeroPoint = zeros.perChannel ? points : points[0];
        const centred = {
          x: { data: Float64Array.from(x.data, (v) => v - inputZeroPoint), shape: x.shape },
          w: {
            data: Float64Array.from(w.data, (v, i) => v - points[Math.floor(i / product(weight.slice(1)))]),
            shape: w.shape,
          },
        };
        const exact = conv(centred.x, centred.w, options);
        const geometry = { ...options, paddingMode: mode } as convmat.Geometry;
        const y = convmat.convInteger(x, w, { ...geometry, inputZeroPoint, weightZeroPoint });
        expect(y.shape).toEqual(exact.shape);
        expect([...y.data]).toEqual([...exact.data]);

        const bias = hasBias ? random([weight[0]], 'int32', seed + 2).data.map((v) => v >> 12) : null;
        const outputZeroPoint = point(zeros.weight, dy);
        const quantised = convmat.qlinearConv(x, w, {
          ...geometry,
          inputScale: sx,
          weightScale: sw,
          outputScale: sy,
          inputZeroPoint,
          weightZeroPoint,
          outputZeroPoint,
          outputDType: dy,
          bias: bias && new Tensor(bias as Int32Array, [weight[0]]),
        });
        expect(quantised.dtype).toBe(dy);
        const [low, high] = dy === 'int8' ? [-128, 127] : [0, 255];
        const places = product(exact.shape.slice(-(weight.length - 2)));
        exact.data.forEach((sum, i) => {
          const total = sum + (bias === null ? 0 : bias[Math.floor(i / places) % weight[0]]);
          const real = (total * sx * sw) / sy + outputZeroPoint;
          const clamped = Math.min(high, Math.max(low, real));
          // Scales are float32 numbers: where the real quotient is nearly a half, either neighbour is right.
          expect(Math.abs(quantised.data[i] - clamped)).toBeLessThanOrEqual(0.5 + Math.abs(real) * 2 ** -20);
        });
      },
    ),
    { numRuns: 60 },
  );
});

test('any conversion to fixed point comes back as near as a rounding allows', () => {
  const type = fc.record({
    signed: fc.boolean(),
    wordLength: fc.integer({ min: 2, max: 32 }),
    fractionLength: fc.integer({ min: -8, max: 30 }),
  });
  check(
    fc.property(type, fc.integer({ min: 0, max: 200 }), fc.nat(1e6), (numeric, count, seed) => {
      const unit = 2 ** -numeric.fractionLength;
      const top = (2 ** (numeric.wordLength - (numeric.signed ? 1 : 0)) - 1) * unit;
      const values = random([count], 'float64', seed).data.map(
        (v) => (numeric.signed ? v : Math.abs(v)) * top,
      );
      const back = fixed.fi(new Tensor(values, [count]), numeric).toFloat().data;
      values.forEach((value, i) => {
        expect(Math.abs(back[i] - value)).toBeLessThanOrEqual(unit / 2);
      });
    }),
    { numRuns: 60 },
  );
});
