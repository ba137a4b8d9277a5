/**
 * Convolution and products of integers where tiles begin to be worth it, and from wherever it is called. Every instruction set runs these
 * geometries; those with a unit of tiles are what they are about.
 */
import { type ByteArray, matmul, prepareQLinearConv, qlinearConv, type Tensor, tensor } from 'convmat';
import { expect, test } from 'vitest';
import { integerConvolution, scaled } from '../oracle/integer.js';
import { runProgram } from '../support/program.js';
import { type DType, random, stream } from '../support/random.js';

interface Case {
  readonly channels: number;
  readonly outChannels: number;
  readonly size: readonly [number, number];
  readonly kernel: number;
  readonly stride: number;
}

/** One below, at and above each number that decides. */
const around = (...numbers: readonly number[]) => numbers.flatMap((n) => [n - 1, n, n + 1]);
const cases: readonly Case[] = [
  ...around(4, 16, 32, 64, 128).map((channels) => ({ channels, outChannels: 17 })),
  ...around(4, 16, 32, 64).map((outChannels) => ({ channels: 48, outChannels })),
].flatMap(({ channels, outChannels }): Case[] => [
  { channels, outChannels, size: [5, 7], kernel: 1, stride: 1 },
  { channels, outChannels, size: [4, 9], kernel: 2, stride: 1 },
  { channels, outChannels, size: [5, 8], kernel: 2, stride: 2 },
]);
for (const width of around(2, 4, 16, 64))
  for (const kernel of [1, 2]) {
    const size = [kernel, width + kernel - 1] as const;
    (cases as Case[]).push({ channels: 33, outChannels: 19, size, kernel, stride: 1 });
  }

test('results are the definition’s, whichever way they go', () => {
  const next = stream(7);
  const pick = (count: number) => Math.floor(next() * count);
  cases.forEach(({ channels, outChannels, size, kernel, stride }, seed) => {
    const [dtype, weightDType, outputDType] = [0, 1, 2].map((): DType => (pick(2) ? 'int8' : 'uint8'));
    const least = (type: DType) => (type === 'int8' ? -128 : 0);
    const input = random([1, channels, ...size], dtype, 2 * seed + 1);
    const weight = random([outChannels, channels, kernel, kernel], weightDType, 2 * seed + 2);
    const zeros = seed % 3;
    const options = {
      stride,
      inputZeroPoint: least(dtype) + pick(256),
      // Those that leave nothing to do, one that is left in the sums, and one for each channel.
      weightZeroPoint: Array.from({ length: outChannels }, () =>
        zeros === 0 ? least(weightDType) + 128 : least(weightDType) + (zeros === 1 ? 3 : pick(256)),
      ),
      inputScale: 0.02,
      weightScale: Array.from({ length: outChannels }, () => 0.001 + next() / 100),
      outputScale: 0.5 + next() * Math.sqrt(channels),
      outputZeroPoint: least(outputDType) + pick(256),
      outputDType: outputDType === 'int8' ? ('int8' as const) : ('uint8' as const),
    };
    const sums = integerConvolution({
      ...options,
      input,
      weight,
      stride: [stride, stride],
      dilation: [1, 1],
      padding: [
        [0, 0],
        [0, 0],
      ],
      groups: 1,
    });
    const bias = Int32Array.from({ length: outChannels }, () => pick(20000) - 10000);
    const want = scaled(sums, { ...options, bias });
    const y: Tensor<ByteArray> = qlinearConv(input, weight, { ...options, bias: tensor(bias) });
    expect([...y.data], JSON.stringify(cases[seed])).toEqual(want);
    using prepared = prepareQLinearConv(weight, {
      ...options,
      bias: tensor(bias),
      inputDType: dtype === 'int8' ? 'int8' : 'uint8',
    });
    expect(prepared.run(input).data).toEqual(y.data);
  });
});

test('products of matrices of bytes are exact', () => {
  for (const m of [1, 3, 4, 5, 16, 17, 33]) {
    for (const n of [1, 63, 64, 65]) {
      for (const k of [1, 15, 16, 17, 64, 65, 129]) {
        const a = random([m, k], m % 2 ? 'int8' : 'uint8', m);
        const b = random([k, n], n % 2 ? 'int8' : 'uint8', n);
        const want = Int32Array.from({ length: m * n }, (_, at) => {
          const [row, column] = [Math.floor(at / n), at % n];
          let sum = 0;
          for (let i = 0; i < k; i++) sum += a.data[row * k + i] * b.data[i * n + column];
          return sum;
        });
        expect(matmul(a, b).data, `${m}×${k} by ${k}×${n}`).toEqual(want);
      }
    }
  }
});

test('workers, a forked child, WebAssembly that traps and the main thread agree', () => {
  expect(runProgram(new URL('./programs/tiles.cjs', import.meta.url))).toEqual({
    main: true,
    workers: [true, true, true],
    child: true,
    trapped: true,
    again: true,
  });
}, 120_000);
