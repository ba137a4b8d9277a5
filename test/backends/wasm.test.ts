/** What only WebAssembly has: memory of its own that grows and may end, and exceptions that its door returns as codes. */
import { ArgumentError, backendInfo, MemoryError } from 'convmat';
import { describe, expect, test } from 'vitest';
import type { NativeAddon, RunFunction } from '../../dist/backend/native/addon.js';
import { readWasm } from '../../dist/backend/native/binaries.cjs';
import { createWasmAddon } from '../../dist/backend/wasm/addon.js';
import { compile, Instance } from '../../dist/backend/wasm/instance.js';
import { relaxed } from '../../dist/backend/wasm/relaxed.js';
import type { WasmIsa } from '../../dist/plan/isa.js';
import { convRequest, planConv } from '../../dist/plan/plans/conv.js';

const { backend, isa } = backendInfo();

/** The same file with memory that ends after so many pages of 64 KiB. */
function limited(bytes: Uint8Array, pages: number): Uint8Array {
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length; ) {
    const start = at++;
    const [size, content] = leb(bytes, at);
    at = content + size;
    // One memory, without an end.
    if (bytes[start] !== 5) parts.push(bytes.subarray(start, at));
    else {
      expect([...bytes.subarray(content, content + 2)]).toEqual([1, 0]);
      const limits = [1, 1, ...bytes.subarray(content + 2, at), ...lebOf(pages)];
      parts.push(Uint8Array.from([5, limits.length, ...limits]));
    }
  }
  return Buffer.concat(parts);
}

function leb(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}

function lebOf(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...lebOf(value >> 7)];
}

describe('relaxed instructions', () => {
  const vector = (opcode: number) => [0xfd, opcode, opcode < 0x85 || opcode > 0x88 ? 1 : 2];
  const [MUL, NEG, ADD] = [0xe6, 0xe1, 0xe4].map(vector);
  const [MUL_F64, NEG_F64, ADD_F64] = [0xf2, 0xed, 0xf0].map(vector);
  const set = (local: readonly number[]) => [0x21, ...local];
  const get = (local: readonly number[]) => [0x20, ...local];
  const near = [7];
  const far = [0x85, 0x01];

  test.each([
    ['a * b + c, floats', [...set(near), ...MUL, ...get(near), ...ADD], 0x85],
    ['c - a * b, floats', [...set(far), ...MUL, ...NEG, ...get(far), ...ADD], 0x86],
    ['a * b + c, doubles', [...set(far), ...MUL_F64, ...get(far), ...ADD_F64], 0x87],
    ['c - a * b, doubles', [...set(near), ...MUL_F64, ...NEG_F64, ...get(near), ...ADD_F64], 0x88],
  ])('%s', (_, code, opcode) => {
    const around = [0x21, 0x21, 0x1a];
    const file = Uint8Array.from([...around, ...code, ...code, ...around]);
    const one = [...vector(opcode), ...new Array<number>(code.length - 3).fill(0x01)];
    expect([...relaxed(file)]).toEqual([...around, ...one, ...one, ...around]);
    expect([...file]).toEqual([...around, ...code, ...code, ...around]);
  });

  test.each([
    ['another local', [...set(near), ...MUL, ...get([8]), ...ADD]],
    ['another far local', [...set(far), ...MUL, ...get([0x85, 0x02]), ...ADD]],
    ['floats and doubles', [...set(near), ...MUL, ...get(near), ...ADD_F64]],
    ['a sum of another', [...set(near), ...MUL, ...get(near), ...MUL]],
    ['an end', [...set(near), ...MUL, ...get(near)]],
  ])('%s: stays as it is', (_, code) => {
    expect([...relaxed(Uint8Array.from(code))]).toEqual(code);
  });
});

describe.skipIf(backend !== 'wasm')('WebAssembly', () => {
  const file = readWasm() ?? new Uint8Array();
  const read = () => (isa === 'wasm' ? file : relaxed(file));
  const instanceOf = (bytes: Uint8Array) => {
    const module = compile(bytes);
    const instance = new Instance(module);
    return { instance, addon: createWasmAddon(instance, isa as WasmIsa, module) };
  };

  /** 1×1 convolutions of 16 × 16 pixels. */
  function planOf(addon: NativeAddon, channels: number, algorithm: 'auto' | 'im2col' = 'auto') {
    const axis = { in: 16, kernel: 1, stride: 1, dilation: 1, padBefore: 0, padAfter: 0, out: 16 };
    const sizes = { batch: 1, inChannels: channels, outChannels: channels, axes: [axis, axis] };
    const geometry = { rank: 2 as const, groups: 1, paddingMode: 'zeros' as const };
    const request = convRequest('forward', 'float32', geometry, sizes, { algorithm, accuracy: 'strict' });
    return planConv(request, { isa: isa as WasmIsa, threads: 1, tuning: addon.tuning[isa] }).wire;
  }

  test('a hundred thousand refusals leave no trace', () => {
    const { instance, addon } = instanceOf(read());
    const good = planOf(addon, 4);
    const bad = good.slice();
    bad[0] = 77;
    const refuse = [
      () => addon.serves(bad),
      () => addon.matmul(2, 2, 2, new Float32Array(3), new Float32Array(4), new Float32Array(4)),
      () => addon.conv(good, new Float32Array(16), null, -1, 1, new Float32Array(5), new Float32Array(1)),
      () =>
        addon.prepareNetwork(
          Float64Array.of(3, 1, 2, 77),
          64,
          [4],
          [4],
          [new Float32Array(9)],
          null,
          true,
          false,
        ),
    ];
    for (const call of refuse) expect(call).toThrow(ArgumentError);
    const before = instance.memoryBytes;
    for (let i = 0; i < 100_000; i++) {
      try {
        refuse[i % refuse.length]();
      } catch (error) {
        if (error instanceof ArgumentError) continue;
        throw error;
      }
      throw new Error('was not refused');
    }
    expect(instance.memoryBytes).toBe(before);
    expect(addon.serves(good)).toBe(true);
  });

  test('memory that runs out is a MemoryError, time and again, and what was there goes on', () => {
    const { addon } = instanceOf(limited(read(), 512));
    const channels = 256;
    const plan = planOf(addon, channels, 'im2col');
    const weight = new Float32Array(channels * channels).fill(1);
    const input = new Float32Array(channels * 256).fill(1);
    // The workspace stays.
    const first = addon.prepare(plan, weight, null, -Infinity, Infinity, null);
    first(input, new Float32Array(input.length));
    addon.release(first);
    const counts = Array.from({ length: 3 }, () => {
      const held: RunFunction[] = [];
      const fill = () => {
        for (;;) held.push(addon.prepare(plan, weight, null, -Infinity, Infinity, null));
      };
      expect(fill).toThrow(MemoryError);
      // Room for the operands of a call.
      const spared = held.splice(-8);
      for (const run of spared) addon.release(run);
      const output = new Float32Array(input.length);
      held[0](input, output);
      expect(output.every((value) => value === channels)).toBe(true);
      for (const run of held) addon.release(run);
      return held.length;
    });
    expect(counts[0]).toBeGreaterThan(10);
    expect(counts).toEqual([counts[0], counts[0], counts[0]]);
  });

  test('operands that its memory cannot hold are a MemoryError', () => {
    const { addon } = instanceOf(limited(read(), 512));
    const n = 2 ** 23;
    expect(() => addon.vectorDot(new Float32Array(n), new Float32Array(n))).toThrow(MemoryError);
    expect(addon.vectorDot(Float32Array.of(1, 2), Float32Array.of(3, 4))).toBe(11);
  });

  test('what was released is refused', () => {
    const { addon } = instanceOf(read());
    const run = addon.prepare(planOf(addon, 4), new Float32Array(16), null, -1, 1, null);
    addon.release(run);
    expect(() => run(new Float32Array(1024), new Float32Array(1024))).toThrow(ArgumentError);
    expect(() => addon.release(run)).toThrow(/^prepared: expected a convolution that is not released/);
  });
});
