/** The weights that a layer starts from. */
import { elementCount } from '../check.js';
import type { Random } from '../random.js';
import { zeros } from '../tensor/dtype.js';
import { type Shape, Tensor } from '../tensor/tensor.js';

/**
 * PyTorch's default for convolutions and linear layers, weight and bias alike: uniform in ±1/√fanIn. For the weight
 * that is kaiming_uniform with a = √5, whose bound √(6 / ((1 + a²)·fanIn)) comes to the same.
 *
 * @param fanIn  How many inputs each output sums.
 *
 * Source: He et al. 2015, «Delving deep into rectifiers», and torch.nn's reset_parameters.
 */
export function defaultInit(shape: Shape, fanIn: number, source: Random): Tensor<Float32Array> {
  const bound = 1 / Math.sqrt(fanIn);
  const values = zeros('float32', elementCount(shape, 'weight'));
  for (let i = 0; i < values.length; i++) values[i] = (2 * source.uniform() - 1) * bound;
  return new Tensor(values, shape);
}
