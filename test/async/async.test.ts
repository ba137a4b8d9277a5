import { markAsUntransferable } from 'node:worker_threads';
import {
  ArgumentError,
  backendInfo,
  conv1d,
  conv1dAsync,
  conv2d,
  conv2dAsync,
  conv3d,
  conv3dAsync,
  MemoryError,
  prepareConv,
  setNumThreads,
  Tensor,
} from 'convmat';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { expectSame } from '../support/compare';
import { runProgram } from '../support/program';
import { random } from '../support/random';
import { options, problem, processorTime, slowProblem } from './problem';

const { threads } = backendInfo();
afterEach(() => setNumThreads(threads));

/** Takes the buffer away, as posting it to a worker does. */
function transfer({ data }: Tensor): void {
  structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
  expect(data.length).toBe(0);
}

function copy(t: Tensor): Tensor {
  return new Tensor(t.data.slice(), t.shape);
}

describe('results', () => {
  test('of the one-shot calls equal the synchronous ones, bit for bit', async () => {
    const [x1, w1] = [random([2, 4, 33]), random([6, 4, 5], 'float32', 2)];
    expectSame(await conv1dAsync(x1, w1, { stride: 2 }), conv1d(x1, w1, { stride: 2 }));
    const [x3, w3] = [random([1, 3, 5, 6, 7], 'float64'), random([2, 3, 2, 3, 2], 'float64', 2)];
    expectSame(await conv3dAsync(x3, w3, { padding: 1 }), conv3d(x3, w3, { padding: 1 }));
    const { input, weight } = problem();
    const rest = { ...options, bias: random([12]), activation: 'relu' } as const;
    expectSame(await conv2dAsync(input, weight, rest), conv2d(input, weight, rest));
  });

  test('of a prepared convolution too, again and again', async () => {
    const { input, weight, expected } = problem();
    using conv = prepareConv(weight, options);
    for (let i = 0; i < 20; i++) expectSame(await conv.runAsync(input), expected);
  });

  test('come while a test holds the clocks', async () => {
    const input = random([1, 4, 512, 512]); // 4 MiB, which no call copies in one turn of the event loop
    const weight = random([4, 4, 3, 3], 'float32', 2);
    const out = new Tensor(new Float32Array(4 * 512 * 512), [1, 4, 512, 512]);
    using conv = prepareConv(weight, { padding: 1 });
    vi.useFakeTimers();
    try {
      expectSame(await conv2dAsync(input, weight, { padding: 1 }), conv.run(input));
      expectSame(await conv.runAsync(input, { out }), conv.run(input));
    } finally {
      vi.useRealTimers();
    }
  });

  test('of an empty batch', async () => {
    const { weight } = problem();
    const result = await conv2dAsync(new Tensor(new Float32Array(0), [0, 8, 5, 5]), weight, options);
    expect(result.shape).toEqual([0, 12, 5, 5]);
  });

  test('arrive in out, which is what the promise gives', async () => {
    const { input, weight, expected } = problem();
    using conv = prepareConv(weight, options);
    const out = new Tensor(new Float32Array(expected.size).fill(7), expected.shape);
    const promise = conv.runAsync(input, { out });
    expect(out.data[0]).toBe(7);
    expect(await promise).toBe(out);
    expectSame(out, expected);
    expect(await conv2dAsync(input, weight, { ...options, out })).toBe(out);
  });

  test.each([1, 2, 5])('of 200 overlapping calls on %i threads are each their own', async (n) => {
    setNumThreads(n);
    const problems = [1, 2, 3].flatMap((batch) => [7, 20].map((size) => problem(batch, size, 10 * batch)));
    const prepared = problems.map(({ weight }) => prepareConv(weight, options));
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const { input, weight, expected } = problems[i % 6];
        const result = i % 2 ? prepared[i % 6].runAsync(input) : conv2dAsync(input, weight, options);
        expectSame(await result, expected);
      }),
    );
    for (const conv of prepared) conv.dispose();
  });
});

test('a result of 2^31 elements is a MemoryError', async () => {
  const [input, weight] = [new Tensor(new Float32Array(2 ** 20), [1, 1, 2 ** 20]), random([2048, 1, 1])];
  await expect(conv1dAsync(input, weight)).rejects.toThrow(MemoryError);
});

describe('the caller keeps its buffers: while a call is in flight', () => {
  test('inputs may be written to', async () => {
    const { input, weight, expected } = problem(4, 40);
    const [x, w] = [copy(input), copy(weight)];
    using conv = prepareConv(w, options);
    const results = [conv.runAsync(x), conv2dAsync(x, w, options)];
    x.data.fill(Number.NaN);
    w.data.fill(Number.NaN);
    for (const result of results) expectSame(await result, expected);
  });

  test('inputs may be transferred', async () => {
    const { input, weight, expected } = problem(4, 40);
    const [x, w] = [copy(input), copy(weight)];
    using conv = prepareConv(w, options);
    const results = [conv.runAsync(x), conv2dAsync(x, w, options)];
    transfer(x);
    transfer(w);
    for (const result of results) expectSame(await result, expected);
  });

  test('inputs may shrink', async () => {
    const { input, weight, expected } = problem(4, 40);
    const bytes = input.data.byteLength;
    const buffer = new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(bytes, {
      maxByteLength: bytes,
    });
    new Float32Array(buffer).set(input.data as Float32Array);
    const result = conv2dAsync(new Tensor(new Float32Array(buffer), input.shape), weight, options);
    (buffer as unknown as { resize(n: number): void }).resize(4);
    expectSame(await result, expected);
  });

  test('out may go away: the call rejects, and nothing is written', async () => {
    const { input, weight, expected } = problem(4, 40);
    using conv = prepareConv(weight, options);
    const out = copy(expected);
    const result = conv.runAsync(input, { out });
    transfer(out);
    await expect(result).rejects.toThrow(ArgumentError);
  });

  test('out may shrink: the call rejects', async () => {
    const { input, weight, expected } = problem();
    const bytes = expected.data.byteLength;
    const buffer = new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(bytes, {
      maxByteLength: bytes,
    });
    const out = new Tensor(new Float32Array(buffer), expected.shape);
    const result = conv2dAsync(input, weight, { ...options, out });
    (buffer as unknown as { resize(n: number): void }).resize(4);
    await expect(result).rejects.toThrow(ArgumentError);
  });

  test('a prepared convolution may be disposed of', async () => {
    const { input, weight, expected } = problem(4, 40);
    const conv = prepareConv(weight, options);
    const results = [conv.runAsync(input), conv.runAsync(input), conv.runAsync(input)];
    conv.dispose();
    for (const result of results) expectSame(await result, expected);
    await expect(conv.runAsync(input)).rejects.toThrow(ArgumentError);
  });
});

describe('an input that is handed over', () => {
  test('is gone for the caller at once, whatever its size, and the result is the same', async () => {
    for (const [problemOf, settings] of [
      [() => problem(4, 40), options],
      [largeProblem, {}],
    ] as const) {
      const { input, weight, expected } = problemOf();
      using conv = prepareConv(weight, settings);
      const [x, same] = [copy(input), copy(input)];
      const results = [
        conv.runAsync(x, { transfer: true }),
        conv2dAsync(same, weight, { ...settings, transfer: true }),
      ];
      expect([x.data.length, same.data.length]).toEqual([0, 0]);
      for (const result of results) expectSame(await result, expected);
    }
  });

  test('may be a part of its buffer, and takes the rest along', async () => {
    const { input, weight, expected } = problem(4, 40);
    const buffer = new ArrayBuffer(input.data.byteLength + 64);
    const part = new Float32Array(buffer, 32, input.data.length);
    part.set(input.data);
    expectSame(
      await conv2dAsync(new Tensor(part, input.shape), weight, { ...options, transfer: true }),
      expected,
    );
    expect(buffer.byteLength).toBe(0);
  });

  test('is an ArgumentError when nobody can take it, and so is another value', async () => {
    const { input, weight } = problem();
    const fixed = copy(input);
    markAsUntransferable(fixed.data.buffer);
    await expect(conv2dAsync(fixed, weight, { ...options, transfer: true })).rejects.toThrow(
      'input: expected a buffer that can be transferred',
    );
    await expect(
      conv2dAsync(input, weight, { ...options, transfer: 1 as unknown as boolean }),
    ).rejects.toThrow('options.transfer: expected true or false');
  });
});

describe('many calls at once', () => {
  test('on weights that nobody has packed yet, for several shapes', async () => {
    const weight = random([8, 8, 3, 3]);
    const conv = prepareConv(weight, { padding: 1 });
    const inputs = Array.from({ length: 60 }, (_, i) => random([1, 8, 12 + (i % 3), 20], 'float32', i));
    const results = inputs.map((input) => conv.runAsync(input));
    // A call that does not wait packs for itself.
    const now = conv.run(inputs[0]);
    conv.dispose();
    expectSame(now, conv2d(inputs[0], weight, { padding: 1 }));
    for (const [i, result] of results.entries())
      expectSame(await result, conv2d(inputs[i], weight, { padding: 1 }));
  });

  test('of more memory than is taken at once wait for one another, and end', async () => {
    const input = random([1, 1, 2048, 1024]);
    const weight = random([1, 1, 1, 1], 'float32', 2);
    const expected = conv2d(input, weight);
    const controller = new AbortController();
    const calls = Array.from({ length: 24 }, (_, i) =>
      conv2dAsync(input, weight, i % 5 === 4 ? { signal: controller.signal } : {}),
    );
    controller.abort(new Error('not wanted'));
    for (const [i, outcome] of (await Promise.allSettled(calls)).entries()) {
      if (outcome.status === 'fulfilled') expectSame(outcome.value, expected);
      else expect(outcome.reason.message).toBe('not wanted');
      expect(outcome.status).toBe(i % 5 === 4 ? 'rejected' : 'fulfilled');
    }
  });
});

/** Many more bytes than are copied at once, and few products. */
function largeProblem() {
  const input = random([3, 8, 300, 300]);
  const weight = random([2, 8, 1, 1], 'float32', 2);
  return { input, weight, expected: conv2d(input, weight) };
}

describe('a large input is copied in slices, on several turns of the event loop', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  test('and the result is the same', async () => {
    const { input, weight, expected } = largeProblem();
    using conv = prepareConv(weight);
    expectSame(await conv.runAsync(input), expected);
    expectSame(await conv2dAsync(input, weight), expected);
    const out = new Tensor(new Float32Array(expected.size), expected.shape);
    expect(await conv.runAsync(input, { out })).toBe(out);
    expectSame(out, expected);
    const double = new Tensor(Float64Array.from(input.data), input.shape);
    const w = new Tensor(Float64Array.from(weight.data), weight.shape);
    expectSame(await conv2dAsync(double, w), conv2d(double, w));
  });

  test.each([0, 1, 3])('transferred after %i turns: the call rejects', async (turns) => {
    const { input, weight } = largeProblem();
    using conv = prepareConv(weight);
    for (const call of [(x: Tensor) => conv.runAsync(x), (x: Tensor) => conv2dAsync(x, weight)]) {
      const x = copy(input);
      const result = call(x).then(
        () => null,
        (error) => error,
      );
      for (let i = 0; i < turns; i++) await turn();
      transfer(x);
      const error = await result;
      expect(error).toBeInstanceOf(ArgumentError);
      expect(error.message).toMatch(/^input: expected 2160000 elements until the call has copied them, got /);
    }
  });

  test('disposed of meanwhile: the run ends first', async () => {
    const { input, weight, expected } = largeProblem();
    const conv = prepareConv(weight);
    const results = [conv.runAsync(input), conv.runAsync(input)];
    await turn();
    conv.dispose();
    conv.dispose();
    for (const result of results) expectSame(await result, expected);
    await expect(conv.runAsync(input)).rejects.toThrow(ArgumentError);
  });

  test('aborted meanwhile: the call rejects with the reason', async () => {
    const { input, weight } = largeProblem();
    const controller = new AbortController();
    const result = conv2dAsync(input, weight, { signal: controller.signal });
    await turn();
    controller.abort();
    await expect(result).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('an array whose own methods hand out memory that the caller keeps is copied all the same', async () => {
  const { input, weight, expected } = problem(4, 40);
  const kept: ArrayBuffer[] = [];
  class Sly extends Float32Array {
    override slice(): Float32Array<ArrayBuffer> {
      const slice = new Float32Array(this);
      kept.push(slice.buffer);
      return slice;
    }
  }
  const x = new Tensor(new Sly(input.data), input.shape);
  const w = new Tensor(new Sly(weight.data), weight.shape);
  using conv = prepareConv(w, options);
  const results = [conv.runAsync(x), conv2dAsync(x, w, options)];
  for (const buffer of kept) structuredClone(buffer, { transfer: [buffer] });
  for (const result of results) expectSame(await result, expected);
});

describe('AbortSignal', () => {
  test('that has fired: nothing starts', async () => {
    const { input, weight, expected } = problem();
    using conv = prepareConv(weight, options);
    const out = new Tensor(new Float32Array(expected.size), expected.shape);
    const signal = AbortSignal.abort();
    await expect(conv.runAsync(input, { signal, out })).rejects.toMatchObject({ name: 'AbortError' });
    await expect(conv2dAsync(input, weight, { ...options, signal, out })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(out.data.every((value) => value === 0)).toBe(true);
  });

  test('that fires at once: the call rejects with its reason', async () => {
    const { input, weight } = problem();
    const controller = new AbortController();
    const result = conv2dAsync(input, weight, { ...options, signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(result).rejects.toBe(reason);
  });

  test('stops a running call at its next tile, and lets those behind it go on', async () => {
    setNumThreads(1);
    const { input, weight, ms } = slowProblem(300);
    const small = problem();
    const controller = new AbortController();
    const start = processorTime();
    const slow = conv2dAsync(input, weight, { ...options, signal: controller.signal });
    const behind = conv2dAsync(small.input, small.weight, options);
    setTimeout(() => controller.abort(), ms / 10);
    await expect(slow).rejects.toMatchObject({ name: 'AbortError' });
    expectSame(await behind, small.expected);
    expect(processorTime() - start).toBeLessThan(ms * 0.8);
  });

  test('drops a call that waits', async () => {
    setNumThreads(1);
    const { input, weight, ms } = slowProblem(100);
    const controller = new AbortController();
    const running = conv2dAsync(input, weight, options);
    const waiting = Array.from({ length: 40 }, () =>
      conv2dAsync(input, weight, { ...options, signal: controller.signal }),
    );
    controller.abort();
    const start = processorTime();
    for (const call of waiting) await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    await running;
    await conv2dAsync(input, weight, options);
    expect(processorTime() - start).toBeLessThan(ms * 20);
  });

  test('of twenty calls: fires afterwards and changes nothing, and nobody listens to it any more', async () => {
    const { input, weight, expected } = problem();
    const controller = new AbortController();
    const { signal } = controller;
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const warned = vi.fn();
    process.on('warning', warned);
    const calls = Array.from({ length: 20 }, () => conv2dAsync(input, weight, { ...options, signal }));
    for (const call of calls) expectSame(await call, expected);
    controller.abort();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
    const listener = (call: readonly unknown[]) => call[1];
    expect(removed.mock.calls.map(listener)).toEqual(added.mock.calls.map(listener));
  });
});

test.skipIf(process.platform !== 'linux' || backendInfo().backend === 'js')(
  'the event loop stands still for less than 5 ms while a call runs',
  () => {
    const program = new URL('./programs/stall.cjs', import.meta.url);
    for (const [call, ms] of Object.entries(runProgram(program) as Record<string, number>)) {
      expect(ms, call).toBeLessThan(5);
    }
  },
);

test('an input that shares its buffer with the weight is not handed over', async () => {
  const memory = new ArrayBuffer(4 * 25);
  const input = new Tensor(new Float32Array(memory, 0, 16).fill(1), [1, 1, 4, 4]);
  const weight = new Tensor(new Float32Array(memory, 64, 9).fill(1), [1, 1, 3, 3]);
  const call = conv2dAsync(input, weight, { transfer: true });
  await expect(call).rejects.toThrow(
    new ArgumentError(
      'input: expected a buffer of its own, for options.transfer, got one that weight shares',
    ),
  );
  expect(memory.byteLength).toBe(100);
});
