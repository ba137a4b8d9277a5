/** Errors that lead out: what a message says to do works, and no message repeats what it was given at length. */
import * as convmat from 'convmat';
import {
  ArgumentError,
  ConvmatError,
  CsrMatrix,
  DTypeError,
  MemoryError,
  operators,
  prepareConv,
  ShapeError,
  SingularError,
  tensor,
} from 'convmat';
import { describe, expect, it } from 'vitest';
import { isNode } from '../support/host';
import { expectRefusal } from '../support/refusals';

const zeros = (shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const image = zeros([1, 3, 5, 6]);
const weight = zeros([4, 3, 3, 3]);
const message = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(ConvmatError);
    return (error as Error).message;
  }
  throw new Error('expected an error');
};

describe('what to do instead', () => {
  it('bytes in a convolution: convert them, or take the functions for bytes', () => {
    const bytes = tensor(new Uint8Array(90), [1, 3, 5, 6]);
    for (const w of [weight, tensor(new Uint8Array(108), [4, 3, 3, 3])]) {
      expectRefusal(
        () => convmat.conv2d(bytes, w),
        DTypeError,
        /^input: .*tensor\(.*'float32'\).*convInteger/,
      );
    }
    expect(convmat.conv2d(tensor(bytes.data, bytes.shape, 'float32'), weight).shape).toEqual([1, 4, 3, 4]);
    expect(convmat.convInteger(bytes, tensor(new Uint8Array(108), [4, 3, 3, 3])).shape).toEqual([1, 4, 3, 4]);
  });

  it.each([
    [
      [5, 6, 3],
      [2, 0, 1],
    ],
    [
      [2, 5, 6, 3],
      [0, 3, 1, 2],
    ],
  ])('channels-last images %j', (shape, order) => {
    const last = zeros(shape);
    const refused = new RegExp(
      `got \\d channels: the layout is channels-first; input.permute\\(${order.join(', ')}\\)`,
    );
    expectRefusal(() => convmat.conv2d(last, weight), ShapeError, refused);
    expectRefusal(() => prepareConv(weight).run(last), ShapeError, refused);
    expectRefusal(() => new convmat.nn.Conv2d(3, 4, 3).forward(last), ShapeError, refused);
    expect(convmat.conv2d(last.permute(...order), weight).shape.slice(-3)).toEqual([4, 3, 4]);
  });

  it('channels-last sequences and volumes, and other wrong channels', () => {
    expect(message(() => convmat.conv1d(zeros([9, 3]), zeros([4, 3, 3])))).toMatch(/input.permute\(1, 0\)/);
    expect(message(() => convmat.conv3d(zeros([1, 4, 5, 6, 3]), zeros([4, 3, 3, 3, 3])))).toMatch(
      /input.permute\(0, 4, 1, 2, 3\)/,
    );
    expect(message(() => convmat.convMatrix(weight, { inputShape: [5, 6, 3] }))).toMatch(
      /the layout is channels-first$/,
    );
    expect(message(() => convmat.conv2d(zeros([2, 5, 6]), weight))).not.toMatch(/channels-first/);
  });

  it('convToLinear that is too large', () => {
    const kernel = tensor(Float32Array.of(1, 2, 3, 4), [1, 1, 2, 2]);
    const options = { inputShape: [1, 200, 200] };
    expectRefusal(
      () => convmat.convToLinear(kernel, options),
      MemoryError,
      /sparse: true gives .* of 158404 entries/,
    );
    expect(message(() => convmat.convToLinear(kernel, options))).not.toMatch(/maxBytes/);
    expect(convmat.convToLinear(kernel, { ...options, sparse: true }).weight.nnz).toBe(158404);
  });

  it("MATLAB's conv2(u, v, A)", () => {
    const [u, v, A] = [
      [1, 2],
      [1, -1],
      [
        [1, 2],
        [3, 4],
      ],
    ];
    for (const rest of [[A], [A, 'same'], [Float32Array.of(1)], [tensor(A)]] as never[][]) {
      const call = () => convmat.signal.conv2(u as never, v as never, ...rest);
      expectRefusal(call, ArgumentError, /conv2Separable\(u, v, A\)/);
    }
    expect(convmat.signal.conv2Separable(u as number[], v as number[], A).shape).toEqual([3, 3]);
  });

  it('a tensor where options go', async () => {
    const layer = prepareConv(weight);
    const out = zeros([1, 4, 3, 4]);
    await expect(layer.runAsync(image, out as never)).rejects.toThrow(
      /^options: expected options by name \(\{ out: tensor \} for a tensor\), got Tensor/,
    );
    expect(await layer.runAsync(image, { out })).toBe(out);
    expect(message(() => convmat.conv2d(image, weight, zeros([4]) as never))).toMatch(/\{ bias: tensor \}/);
    expect(convmat.conv2d(image, weight, { bias: zeros([4]) }).shape).toEqual([1, 4, 3, 4]);
  });

  it.each([
    ['lsqr', convmat.lsqr],
    ['cg', convmat.cg],
  ])('%s of a dense matrix', (_, solve) => {
    const dense = tensor(
      [
        [2, 1],
        [1, 3],
      ],
      undefined,
      'float64',
    );
    for (const A of [dense, dense.toNested()] as never[]) {
      expectRefusal(() => solve(A, [3, 4]), ArgumentError, /operators.asOperator\(A\)/);
    }
    const { x } = solve(operators.asOperator(dense), [3, 4]);
    expect(x[0]).toBeCloseTo(1, 10);
  });

  it('a singular circulant', () => {
    const A = convmat.circulant([1, 1, 1, 1]);
    expectRefusal(
      () => A.solve([1, 2, 3, 4]),
      SingularError,
      /circulant matrix none of whose eigenvalues is zero \(lsqr/,
    );
    expect(convmat.lsqr(A, [1, 2, 3, 4]).x[0]).toBeCloseTo(0.625, 5);
    expect(message(() => convmat.toeplitz([0, 1, 1]).solve([1, 2, 3]))).toMatch(/leading blocks/);
  });

  it('what cannot be cloned refuses to be', () => {
    const made = {
      'a prepared convolution': prepareConv(weight),
      'a CSR matrix': CsrMatrix.fromDense([[1]]),
      'the matrix of a convolution': convmat.convMatrix([[1]], { inputShape: [2, 2] }),
    };
    for (const one of Object.values(made)) expect(() => structuredClone(one)).toThrow(/could not be cloned/);
    expect(JSON.parse(JSON.stringify(made['a prepared convolution']))).toEqual({ weightShape: [4, 3, 3, 3] });
  });
});

describe('no message is longer than what it tells', () => {
  const LONG = 3e6;
  const calls: Record<string, () => unknown> = {
    text: () => convmat.conv2d('x'.repeat(LONG) as never, weight),
    'an unknown option': () => convmat.conv2d(image, weight, { ['k'.repeat(LONG)]: 1 } as never),
    'a long list': () => convmat.conv2d(image, weight, { stride: new Array(LONG).fill(1) }),
    'a list of 2^32 holes': () => convmat.conv2d(image, weight, { padding: new Array(2 ** 32 - 1) }),
    'a shape of many axes': () => tensor(new Float32Array(1), new Array(LONG).fill(1)),
    'a large bigint': () => convmat.conv2d(image, weight, { groups: (1n << 1_000_000n) as never }),
    'nested arrays': () => tensor(new Array(10).fill('y'.repeat(LONG)) as never),
    'a name of a tensor': () => convmat.io.encodeNpz({ [`../${'n'.repeat(LONG)}`]: [1] }),
    'names in a state': () =>
      new convmat.nn.Linear(2, 2).loadStateDict({ ['w'.repeat(LONG)]: zeros([2, 2]) }),
    'a class of the caller': () => {
      const one = Object.create({ constructor: { name: 'N'.repeat(LONG) } });
      return convmat.conv2d(one, weight);
    },
  };
  it.each(Object.keys(calls))('%s', (name) => {
    const start = performance.now();
    const text = message(calls[name]);
    expect(text.length).toBeLessThan(600);
    // Seconds, when all of it is looked at.
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  // io refuses in browsers.
  it.runIf(isNode)('what a terminal obeys is escaped', () => {
    const wild = '\x1b[31m\x9b2J\u202e\u2028\0\n\ud800';
    const texts = [
      message(() => convmat.conv2d(image, weight, { paddingMode: wild as never })),
      message(() => convmat.conv2d(image, weight, { [wild]: 1 } as never)),
      message(() => convmat.io.encodeNpz({ [`/${wild}`]: [1] })),
      new ArgumentError(wild).message,
    ];
    for (const text of texts) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: which must not be there
      expect(text).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u202e]|[\ud800-\udfff]/);
      expect(text).toMatch(/\\x1b\[31m|\\u001b\[31m/);
    }
  });
});
