// Networks reuse memory of what their layers pass to each other: nothing that somebody else may hold is ever part of it.
import { nn, type Tensor, tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { random } from '../support/random';

let seed = 1;
const drawn = (...shape: number[]) => random(shape, 'float32', seed++);
const copy = ({ data }: Tensor) => Array.from(data);

/** Keeps all that passes through it. */
class Recorder extends nn.Module {
  readonly seen: Tensor[] = [];
  readonly gradients: Tensor[] = [];
  forward(x: Tensor): Tensor {
    this.seen.push(x);
    return x;
  }
  backward(g: Tensor): Tensor {
    this.gradients.push(g);
    return g;
  }
  outputShape(shape: readonly number[]): readonly number[] {
    return shape;
  }
}

/** A convolution that is also told of what comes in, by a forward and a backward of its own. */
class Watched extends nn.Conv2d {
  readonly seen: Tensor[] = [];
  readonly gradients: Tensor[] = [];
  override forward(x: Tensor) {
    this.seen.push(x);
    return super.forward(x);
  }
  override backward(g: Tensor) {
    this.gradients.push(g);
    return super.backward(g);
  }
}

const conv = (from: number, to: number, seed: number) => new nn.Conv2d(from, to, 3, { padding: 1, seed });
const norm = () => [new nn.BatchNorm2d(4), new nn.ReLU()] as const;
type Kept = { readonly seen: Tensor[]; readonly gradients: Tensor[] };

const networks: [string, () => { net: nn.Sequential; watchers: Kept[] }][] = [
  [
    'ends with a view of its last result',
    () => ({
      net: new nn.Sequential(conv(2, 4, 1), ...norm(), conv(4, 4, 2), new nn.Flatten()),
      watchers: [],
    }),
  ],
  [
    'has layers of others in between, behind views and within residual blocks',
    () => {
      const watchers = Array.from({ length: 4 }, () => new Recorder());
      const body = new nn.Sequential(watchers[1], conv(4, 4, 2), new nn.BatchNorm2d(4), watchers[2]);
      const past = new nn.Sequential(conv(4, 4, 3), new nn.BatchNorm2d(4));
      const net = new nn.Sequential(
        ...[conv(2, 4, 1), ...norm(), watchers[0]],
        ...[new nn.Residual(body, past), new nn.ReLU(), new nn.Flatten(), watchers[3]],
        new nn.Linear(100, 3, { seed: 4 }),
      );
      return { net, watchers };
    },
  ],
  [
    'has a layer that is made of one of the library',
    () => {
      const watched = new Watched(4, 4, 3, { padding: 1, seed: 7 });
      const net = new nn.Sequential(conv(2, 4, 1), ...norm(), watched, ...norm(), conv(4, 4, 3));
      return { net, watchers: [watched] };
    },
  ],
  [
    'has a residual block around such layers',
    () => {
      const watched = new Watched(4, 4, 3, { padding: 1, seed: 7 });
      const net = new nn.Sequential(conv(2, 4, 1), ...norm(), new nn.Residual(watched), new nn.ReLU());
      return { net, watchers: [watched] };
    },
  ],
  [
    'has a residual block of views alone',
    () => {
      const inner = new nn.Residual(new nn.Sequential(new nn.Flatten()), new nn.Flatten());
      const net = new nn.Sequential(conv(2, 4, 1), ...norm(), inner, new nn.Linear(100, 3, { seed: 4 }));
      return { net, watchers: [] };
    },
  ],
];

describe.each(networks)('a network that %s', (_name, make) => {
  const batches = [drawn(2, 2, 5, 5), drawn(2, 2, 5, 5), drawn(1, 2, 5, 5), drawn(2, 2, 5, 5)];

  test('gives results and gradients that stay what they are', () => {
    const { net, watchers } = make();
    const held: Tensor[] = [];
    const before: number[][] = [];
    const hold = (...tensors: Tensor[]) => {
      held.push(...tensors);
      before.push(...tensors.map(copy));
    };
    for (const x of batches) {
      const y = net.forward(x);
      const g = drawn(...y.shape);
      hold(x, y, g);
      hold(net.backward(g));
      for (const { seen, gradients } of watchers) hold(...seen.splice(0), ...gradients.splice(0));
    }
    expect(held.map(copy)).toEqual(before);
    expect(new Set(held.map(({ data }) => data)).size).toBeGreaterThan(3 * batches.length);
  });

  test('computes as its layers do one by one', () => {
    const { net } = make();
    const { net: twin } = make();
    for (const x of batches) {
      const y = net.forward(x);
      let expected: Tensor = x;
      for (const layer of twin.modules) expected = layer.forward(expected);
      expect(copy(y)).toEqual(copy(expected));

      const g = drawn(...y.shape);
      const dx = net.backward(g);
      let expectedGrad: Tensor = g;
      for (const layer of twin.modules.toReversed()) expectedGrad = layer.backward(expectedGrad);
      expect(copy(dx)).toEqual(copy(expectedGrad));
      const grads = (of: nn.Sequential) => of.parameters().map(({ grad }) => copy(grad));
      expect(grads(net)).toEqual(grads(twin));
    }
  });

  test('takes a second backward after the same forward', () => {
    const { net } = make();
    const y = net.forward(batches[0]);
    const g = drawn(...y.shape);
    const once = copy(net.backward(g));
    expect(copy(net.backward(g))).toEqual(once);
  });
});

describe('backwardParameters', () => {
  const first: [string, () => nn.Module[]][] = [
    ['a convolution', () => [conv(2, 4, 1)]],
    ['a convolution without the axis of a batch', () => [conv(2, 4, 1), new nn.ReLU()]],
    ['a BatchNorm with its ReLU', () => [new nn.BatchNorm2d(2), new nn.ReLU(), conv(2, 4, 1)]],
    ['a ReLU with its pool', () => [new nn.ReLU(), new nn.MaxPool2d(2), conv(2, 4, 1)]],
    ['a residual block', () => [new nn.Residual(conv(2, 2, 1)), conv(2, 4, 2)]],
    ['a network', () => [new nn.Sequential(conv(2, 4, 1), new nn.BatchNorm2d(4)), conv(4, 4, 2)]],
    ['nothing', () => []],
  ];
  test.each(first)('adds what backward adds, of a network that begins with %s', (name, make) => {
    const [net, twin] = [new nn.Sequential(...make()), new nn.Sequential(...make())];
    for (let step = 0; step < 2; step++) {
      const x = name.includes('without') ? drawn(2, 6, 6) : drawn(2, 2, 6, 6);
      const g = drawn(...net.forward(x).shape);
      twin.forward(x);
      net.backwardParameters(g);
      twin.backward(g);
      const grads = (of: nn.Sequential) => of.parameters().map(({ grad }) => copy(grad));
      expect(grads(net)).toEqual(grads(twin));
    }
  });

  test('calls the backward of a layer that has one of its own', () => {
    const watched = new Watched(2, 4, 3, { seed: 1 });
    const net = new nn.Sequential(watched, ...norm());
    net.backwardParameters(drawn(...net.forward(drawn(2, 2, 6, 6)).shape));
    const [first] = watched.gradients;
    const before = copy(first);
    net.backwardParameters(drawn(...net.forward(drawn(2, 2, 6, 6)).shape));
    expect(watched.gradients).toHaveLength(2);
    expect(copy(first)).toEqual(before);
  });
});

test('a layer whose forward was replaced is called by that', () => {
  const layer = conv(4, 4, 2);
  const net = new nn.Sequential(conv(2, 4, 1), ...norm(), layer);
  const seen: Tensor[] = [];
  const forward = layer.forward.bind(layer);
  layer.forward = (x) => {
    seen.push(x as Tensor);
    return forward(x);
  };
  net.forward(drawn(1, 2, 5, 5));
  const first = copy(seen[0]);
  net.forward(drawn(1, 2, 5, 5));
  expect(seen).toHaveLength(2);
  expect(copy(seen[0])).toEqual(first);
});

test('NaN passes a rectified BatchNorm and its gradient as it passes the two layers', () => {
  const x = tensor(Float32Array.of(NaN, 1, -1, 0, 2, -2), [1, 1, 2, 3]);
  const g = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 1, 2, 3]);
  const fused = new nn.Sequential(new nn.BatchNorm2d(1), new nn.ReLU()).eval();
  const [bn, relu] = [new nn.BatchNorm2d(1).eval(), new nn.ReLU()];
  expect(copy(fused.forward(x))).toEqual(copy(relu.forward(bn.forward(x))));
  expect(copy(fused.backward(g))).toEqual(copy(bn.backward(relu.backward(g))));
});
