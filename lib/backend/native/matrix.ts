/** Matrices in compressed sparse rows, and vectors, by the addon. */
import type { Backend, CsrParts } from '../backend.js';
import type { CsrArguments, NativeAddon } from './addon.js';

type Matrices = Pick<
  Backend,
  | 'convEntries'
  | 'csrMatvec'
  | 'csrRmatvec'
  | 'csrMatmat'
  | 'csrCombinedSizes'
  | 'csrCombine'
  | 'vectorCombine'
  | 'vectorDot'
  | 'singularValues'
>;

export function matricesBy(addon: NativeAddon): Matrices {
  return {
    convEntries: (plan, weight, { indptr, indices, data }) =>
      addon.convEntries(plan.wire, weight, indptr, indices, data),
    csrMatvec: (matrix, x, y) => addon.csrMatvec(...argumentsOf(matrix), x, y),
    csrRmatvec: (matrix, y, x, adds = false) => addon.csrRmatvec(...argumentsOf(matrix), y, x, adds),
    csrMatmat: (matrix, columns, x, y) => addon.csrMatmat(...argumentsOf(matrix), columns, x, y),
    csrCombinedSizes: (operation, a, b, indptr) =>
      addon.csrCombinedSizes(operation === 'product', ...argumentsOf(a), ...argumentsOf(b), indptr),
    csrCombine: (operation, a, b, { indptr, indices, data }) =>
      addon.csrCombine(operation === 'product', ...argumentsOf(a), ...argumentsOf(b), indptr, indices, data),
    vectorCombine: (a, x, b, y) => addon.vectorCombine(a, x, b, y),
    vectorDot: (x, y) => addon.vectorDot(x, y),
    singularValues: (rows, cols, re, im, values) => addon.singularValues(rows, cols, re, im, values),
  };
}

function argumentsOf({ rows, cols, indptr, indices, data }: CsrParts): CsrArguments {
  return [rows, cols, indptr, indices, data];
}
