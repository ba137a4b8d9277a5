import { describe, expect, test } from 'vitest';
import { type GoldenTensor, golden } from '../support/golden';
import { activate } from './activation';
import { biasGrad, conv, convTranspose, inputGrad, weightGrad } from './conv';
import { fold, unfold } from './lowering';
import { avgPool, maxPool } from './pool';
import type { Result } from './window';

// The golden inputs lie on a grid on which sums of products are exact: an oracle is right to the last bit or wrong.
function expectExactly(actual: Result, expected: GoldenTensor): void {
  expect(actual.shape).toEqual(expected.shape);
  const rounded = new (expected.data.constructor as new (values: ArrayLike<number>) => unknown)(actual.data);
  expect(rounded).toEqual(expected.data);
}

function perAxis(value: number | number[], rank: number): number[] {
  return typeof value === 'number' ? Array(rank).fill(value) : value;
}

describe('the oracles agree with the golden data to the last bit', () => {
  test.each(golden('torch_conv').cases)('conv: $id', ({ tensors, args, expected }) => {
    const y = conv(tensors.input, tensors.weight, args, tensors.bias);
    expectExactly(activate(y, args.activation), expected.output);
  });

  test.each(golden('torch_conv_transpose').cases)('transposed: $id', ({ tensors, args, expected }) => {
    const y = convTranspose(tensors.input, tensors.weight, args, tensors.bias);
    expectExactly(activate(y, args.activation), expected.output);
  });

  test.each(golden('torch_conv_grads').cases)('gradients: $id', ({ tensors, args, expected }) => {
    const { input, weight, gradOutput } = tensors;
    expectExactly(inputGrad(input.shape, weight, gradOutput, args), expected.input);
    expectExactly(weightGrad(input, weight.shape, gradOutput, args), expected.weight);
    expectExactly(biasGrad(gradOutput, weight.shape.length - 2), expected.bias);
  });

  test.each(golden('torch_unfold_fold').cases)('lowering: $id', ({ call, tensors, args, expected }) => {
    const { kernelSize, outputSize, ...geometry } = args;
    if (call === 'unfold') {
      const kernel = perAxis(kernelSize, tensors.input.shape.length - 2);
      expectExactly(unfold(tensors.input, kernel, geometry), expected.output);
    } else {
      const kernel = perAxis(kernelSize, outputSize.length);
      expectExactly(fold(tensors.columns, outputSize, kernel, geometry), expected.output);
    }
  });

  test.each(golden('torch_pool').cases)('pooling: $id', ({ call, tensors, args, expected }) => {
    const { kernelSize, ...options } = args;
    const kernel = perAxis(kernelSize, Number(call.at(-2)));
    if (call.startsWith('avg')) {
      expectExactly(avgPool(tensors.input, kernel, options), expected.output);
    } else {
      const { output, indices } = maxPool(tensors.input, kernel, options);
      expectExactly(output, expected.output);
      if (expected.indices) expectExactly(indices, expected.indices);
    }
  });
});
