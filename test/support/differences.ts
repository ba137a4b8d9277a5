import { type nn, type Tensor, tensor } from 'convmat';
import { expect } from 'vitest';
import { random } from './random';

/** ⟨a, b⟩. */
export function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The module in float64, where differences are worth taking. */
export function inFloat64<M extends nn.Module>(module: M): M {
  const state = module.stateDict();
  module.loadStateDict(
    Object.fromEntries(
      Object.entries(state).map(([name, t]) => [name, tensor(Float64Array.from(t.data), t.shape)]),
    ),
  );
  return module;
}

// Central differences err by step² and by roundoff/step; 1e-5 balances the two in float64.
const STEP = 1e-5;
const ALLOWED = 1e-8;

/** Expects backward to be the derivative of ⟨forward(x), g⟩ by x and by every parameter, by central differences. */
export function expectGradients(module: nn.Module, x: Tensor, seed = 7): void {
  const g = random(module.outputShape(x.shape), 'float64', seed);
  const value = (): number => inner(module.forward(x).data, g.data);
  module.zeroGrad();
  module.forward(x);
  const dx = module.backward(g);
  expect(dx.shape).toEqual(x.shape);
  const grads = module.parameters().map(({ grad }) => Float64Array.from(grad.data));
  expectDerivative(value, x, dx.data);
  module.parameters().forEach(({ data }, i) => {
    expectDerivative(value, data, grads[i]);
  });
}

function expectDerivative(value: () => number, by: Tensor, derivative: ArrayLike<number>): void {
  for (let i = 0; i < by.data.length; i++) {
    const at = by.data[i];
    by.data[i] = at + STEP;
    const above = value();
    by.data[i] = at - STEP;
    const below = value();
    by.data[i] = at;
    const difference = (above - below) / (2 * STEP);
    expect(Math.abs(derivative[i] - difference)).toBeLessThanOrEqual(
      ALLOWED * Math.max(1, Math.abs(difference)),
    );
  }
}
