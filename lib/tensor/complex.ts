/** Complex numbers, kept as MATLAB, LAPACK and FFTs keep them apart: real parts, and imaginary parts. */
import type { Tensor } from './tensor.js';

/** re + i·im, element by element: two tensors of one shape and dtype. */
export interface ComplexTensor {
  /** Real parts. */
  readonly re: Tensor;
  /** Imaginary parts. */
  readonly im: Tensor;
}
