/**
 * The algebra of linear operators: sums, products, blocks, differences, and what other machines ask of a matrix.
 *
 * @module
 */
export type { AnyOperator } from './algebra.js';
export { add, blockDiag, compose, hstack, scale, vstack } from './algebra.js';
export { asOperator } from './as-operator.js';
export type { ComplexOperator } from './complex.js';
export type { BoundaryOptions, DifferenceOptions } from './differences.js';
export { difference, gradient, laplacian } from './differences.js';
export type { PrecisionOptions } from './elementary.js';
export { diagonal, identity, restriction } from './elementary.js';
export type { Operator } from './operator.js';
export type { Diagonals, TilePlan } from './structure.js';
export { diagonals, tilePlan } from './structure.js';
