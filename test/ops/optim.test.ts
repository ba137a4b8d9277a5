import { ArgumentError, DTypeError, nn, optim, ShapeError, Tensor, tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { golden } from '../support/golden';
import { random } from '../support/random';
import { expectRefusal } from '../support/refusals';

function parameter(
  values: number[],
  dtype: 'float32' | 'float64' = 'float64',
  grad = values.map(() => 0),
): nn.Parameter {
  return { name: 'p', data: tensor(values, undefined, dtype), grad: tensor(grad, undefined, dtype) };
}

type Options = Record<string, unknown>;
type Maker = (parameters: nn.Parameter[], options?: Options) => optim.Optimizer & { lr: number };
const OPTIMIZERS: Record<string, Maker> = {
  SGD: (p, o) => new optim.SGD(p, { lr: 0.1, ...o }),
  Adagrad: (p, o) => new optim.Adagrad(p, o),
  Adam: (p, o) => new optim.Adam(p, o),
  AdamW: (p, o) => new optim.AdamW(p, o),
  RMSprop: (p, o) => new optim.RMSprop(p, o),
};

describe('trajectories of PyTorch', () => {
  const ALLOWED = { float64: 1e-12, float32: 1e-6 } as const;
  test.each(golden('torch_optim').cases)('$id', ({ call, args, tensors, expected }) => {
    const parameters = ['weight', 'bias'].map((name): nn.Parameter => {
      const { data, shape, dtype } = tensors[name];
      const values = dtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data);
      return {
        name,
        data: new Tensor(values, shape),
        grad: new Tensor(
          values.map(() => 0),
          shape,
        ),
      };
    });
    const dtype = tensors.weight.dtype as keyof typeof ALLOWED;
    const optimizer = OPTIMIZERS[call.slice('optim.'.length)](parameters, args);
    const [steps, width] = tensors.gradients.shape;
    for (let step = 1; step <= steps; step++) {
      let at = (step - 1) * width;
      for (const { grad } of parameters) {
        grad.data.set(tensors.gradients.data.subarray(at, at + grad.size));
        at += grad.size;
      }
      optimizer.step();
      for (const { name, data } of parameters) {
        expected[`${name} after ${step}`]?.data.forEach((want, i) => {
          expect(Math.abs(data.data[i] - want)).toBeLessThanOrEqual(
            ALLOWED[dtype] * Math.max(1, Math.abs(want)),
          );
        });
      }
    }
  });
});

describe('one step, by hand', () => {
  const step = (make: (p: nn.Parameter[]) => optim.Optimizer, steps = 1): number => {
    const p = parameter([2], 'float64', [0.5]);
    const optimizer = make([p]);
    for (let i = 0; i < steps; i++) optimizer.step();
    return p.data.data[0];
  };

  test('SGD', () => {
    expect(step((p) => new optim.SGD(p, { lr: 0.5 }))).toBe(1.75);
    expect(step((p) => new optim.SGD(p, { lr: 0.5, weightDecay: 0.25 }))).toBe(1.5);
    // Velocities 0.5, then 0.5·0.5 + (1 − 0.75)·0.5 = 0.375: dampening spares the first step.
    expect(step((p) => new optim.SGD(p, { lr: 1, momentum: 0.5, dampening: 0.75 }), 2)).toBe(2 - 0.5 - 0.375);
    expect(step((p) => new optim.SGD(p, { lr: 1, momentum: 0.5, nesterov: true }))).toBe(2 - 0.5 - 0.25);
  });

  test('the others, with their defaults', () => {
    expect(step((p) => new optim.Adagrad(p))).toBeCloseTo(2 - 0.01, 10);
    expect(step((p) => new optim.Adam(p))).toBeCloseTo(2 - 0.001, 10);
    expect(step((p) => new optim.AdamW(p))).toBeCloseTo(2 * (1 - 0.001 * 0.01) - 0.001, 10);
    // √((1 − 0.99)·0.5²) = 0.05.
    expect(step((p) => new optim.RMSprop(p))).toBeCloseTo(2 - (0.01 * 0.5) / (0.05 + 1e-8), 12);
  });
});

describe('proximal L1', () => {
  test('moves towards zero by lr·l1, and stops there exactly', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const p = parameter([1, -1, 0.25, -0.25, 0.125, 0, -0], dtype);
      new optim.SGD([p], { lr: 0.5, l1: 0.5 }).step();
      expect(p.data.toNested()).toEqual([0.75, -0.75, 0, 0, 0, 0, 0]);
    }
  });

  test('NaN stays, infinity stays', () => {
    const p = parameter([Number.NaN, Infinity, -Infinity]);
    new optim.SGD([p], { lr: 1, l1: 3 }).step();
    expect(p.data.toNested()).toEqual([Number.NaN, Infinity, -Infinity]);
  });

  test('finds the minimum of ½‖p − t‖² + λ‖p‖₁: t soft-thresholded by λ', () => {
    const target = random([40], 'float64', 3).data;
    const p = parameter(Array(40).fill(1));
    const sgd = new optim.SGD([p], { lr: 0.5, l1: 0.3 });
    for (let i = 0; i < 100; i++) {
      p.data.data.forEach((value, k) => {
        p.grad.data[k] = value - target[k];
      });
      sgd.step();
    }
    p.data.data.forEach((value, k) => {
      const expected = Math.sign(target[k]) * Math.max(Math.abs(target[k]) - 0.3, 0);
      if (expected === 0) expect(value).toBe(0);
      else expect(value).toBeCloseTo(expected, 12);
    });
  });
});

describe.each(Object.entries(OPTIMIZERS))('%s', (_, make) => {
  test('brings a quadratic down, in both dtypes', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const p = parameter([3, -2, 1], dtype);
      const optimizer = make([p], { lr: 0.1 });
      const size = (): number => Math.hypot(...p.data.data);
      const start = size();
      for (let i = 0; i < 200; i++) {
        p.grad.data.set(p.data.data);
        optimizer.step();
      }
      expect(size()).toBeLessThan(0.5 * start);
    }
  });

  test('a step with lr = 0 moves nothing; lr may be set between steps', () => {
    const p = parameter([3], 'float64', [1]);
    const optimizer = make([p], { lr: 0 });
    optimizer.step();
    expect(p.data.toNested()).toEqual([3]);
    optimizer.lr = 0.5;
    optimizer.step();
    expect(p.data.data[0]).toBeLessThan(3);
    expectRefusal(
      () => {
        optimizer.lr = -1;
      },
      ArgumentError,
      /^lr: expected a number/,
    );
    expect(optimizer.lr).toBe(0.5);
  });

  test('several parameters move as each would alone', () => {
    const alone = [parameter([1, 2], 'float64', [0.5, -1]), parameter([3], 'float32', [2])];
    const together = alone.map(({ name, data, grad }) => ({
      name,
      data: new Tensor(data.data.slice(), data.shape),
      grad,
    }));
    const each = alone.map((p) => make([p]));
    const all = make(together);
    for (let i = 0; i < 3; i++) {
      for (const optimizer of each) optimizer.step();
      all.step();
    }
    expect(together.map(({ data }) => data)).toEqual(alone.map(({ data }) => data));
  });

  test('zeroGrad', () => {
    const p = parameter([1], 'float64', [2]);
    make([p]).zeroGrad();
    expect(p.grad.toNested()).toEqual([0]);
  });

  test('goes on in float64 after loadStateDict brought it', () => {
    const layer = new nn.Linear(1, 1, { bias: false, seed: 1 });
    const optimizer = make(layer.parameters());
    layer.weight.grad.data[0] = 1;
    optimizer.step();
    layer.loadStateDict({ weight: tensor([[1]], undefined, 'float64') });
    layer.weight.grad.data[0] = 1;
    optimizer.step();
    expect(layer.weight.data.dtype).toBe('float64');
    expect(layer.weight.data.data[0]).not.toBe(Math.fround(layer.weight.data.data[0]));
  });

  test('a refused step moves nothing, and is not counted', () => {
    const run = (refused: boolean): Tensor[] => {
      const good = parameter([1], 'float64', [1]);
      const other = parameter([2], 'float64', [1]);
      const optimizer = make([good, other]);
      optimizer.step();
      if (refused) {
        const { grad } = other;
        other.grad = tensor([1, 2], undefined, 'float64');
        expectRefusal(
          () => optimizer.step(),
          ShapeError,
          /^parameters\[1\]\.grad: expected shape \[1\], as data/,
        );
        other.grad = tensor([1]);
        expectRefusal(
          () => optimizer.step(),
          DTypeError,
          /^parameters\[1\]\.grad: expected float64, as data/,
        );
        other.grad = grad;
      }
      optimizer.step();
      return [good.data, other.data];
    };
    expect(run(true)).toEqual(run(false));
  });

  test('refuses a parameter that has changed its size', () => {
    const p = parameter([1, 2]);
    const optimizer = make([p]);
    Object.assign(p, parameter([1]));
    expectRefusal(() => optimizer.step(), ShapeError, /^parameters\[0\]\.data: expected 2 elements, as when/);
  });

  test.each([-0.1, Number.NaN, Infinity, '0.1', null])('refuses lr = %s', (lr) => {
    if (lr === null)
      return expectRefusal(() => make([parameter([1])], { lr: {} }), ArgumentError, /^options\.lr: /);
    return expectRefusal(
      () => make([parameter([1])], { lr }),
      ArgumentError,
      /^options\.lr: expected a number/,
    );
  });

  test.each([
    'weightDecay',
    'eps',
    'momentum',
    'lrDecay',
    'initialAccumulatorValue',
    'dampening',
    'l1',
    'alpha',
  ])('refuses a bad %s, known or not', (name) => {
    for (const bad of [-1, Number.NaN, 'x']) {
      expectRefusal(
        () => make([parameter([1])], { [name]: bad }),
        ArgumentError,
        new RegExp(`^options\\.${name}: `),
      );
    }
  });

  test('refuses parameters that are none, or twice there', () => {
    const p = parameter([1]);
    expectRefusal(() => make([]), ArgumentError, /^parameters: expected an array of at least one Parameter/);
    expectRefusal(
      () => make(p as unknown as nn.Parameter[]),
      ArgumentError,
      /^parameters: expected an array/,
    );
    expectRefusal(
      () => make([{} as nn.Parameter]),
      ArgumentError,
      /^parameters\[0\]\.data: expected a Tensor/,
    );
    expectRefusal(() => make([p, { ...p }]), ArgumentError, /^parameters\[1\]: expected each parameter once/);
    const integers: unknown = { name: 'i', data: tensor(Int32Array.of(1)), grad: tensor(Int32Array.of(1)) };
    expectRefusal(
      () => make([integers as nn.Parameter]),
      DTypeError,
      /^parameters\[0\]\.data: expected float32 or float64/,
    );
  });
});

describe('options of their own', () => {
  test('nesterov needs momentum, and no dampening', () => {
    const options = { lr: 1, nesterov: true };
    for (const more of [{}, { momentum: 0.5, dampening: 0.1 }]) {
      expectRefusal(
        () => new optim.SGD([parameter([1])], { ...options, ...more }),
        ArgumentError,
        /^options\.nesterov: expected momentum above 0/,
      );
    }
  });

  test('SGD has no default rate', () => {
    expectRefusal(
      () => new optim.SGD([parameter([1])], {} as { lr: number }),
      ArgumentError,
      /^options\.lr: expected a number ≥ 0, got undefined|^options\.lr: /,
    );
  });

  test.each([[[1, 0.9]], [[0.9, -0.1]], [[0.9]], [0.9], [[Number.NaN, 0]]])(
    'betas %j are refused',
    (betas) => {
      const bad = betas as unknown as [number, number];
      expectRefusal(() => new optim.Adam([parameter([1])], { betas: bad }), ArgumentError, /^options\.betas/);
    },
  );
});
