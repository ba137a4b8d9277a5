/** Complex operands and answers of golden files, and complex arithmetic as it is defined. */
import type { GoldenCase, GoldenTensor } from './golden';

export interface Parts<T> {
  readonly re: T;
  readonly im: T;
}

/** The tensors NAME.re and NAME.im. */
export function partsOf(tensors: GoldenCase['tensors'], name: string): Parts<GoldenTensor> {
  return { re: tensors[`${name}.re`], im: tensors[`${name}.im`] };
}

/** A real operand, or the parts of a complex one. */
export function operandOf({ tensors }: GoldenCase, name: string): GoldenTensor | Parts<GoldenTensor> {
  return name in tensors ? tensors[name] : partsOf(tensors, name);
}

/** Numbers as they are compared: −0 is 0. */
export function plain(values: ArrayLike<number>): number[] {
  return Array.from(values, (value) => value + 0);
}

/** Σ a·b, with the conjugate of a. */
export function inner(a: Parts<ArrayLike<number>>, b: Parts<ArrayLike<number>>): Parts<number> {
  let [re, im] = [0, 0];
  for (let i = 0; i < a.re.length; i++) {
    re += a.re[i] * b.re[i] + a.im[i] * b.im[i];
    im += a.re[i] * b.im[i] - a.im[i] * b.re[i];
  }
  return { re, im };
}
