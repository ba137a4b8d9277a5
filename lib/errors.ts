import { printable } from './text.js';

/** In characters: a message that lists names may be long, one that repeats its input may not. */
const LONGEST_MESSAGE = 2000;

/**
 * Every error that convmat throws on purpose: `instanceof ConvmatError`, with a stable `code`, and a message that
 * names the argument, what it needs and what it got. The class says what kind of mistake it was.
 *
 * @example
 *   try {
 *     conv2d(image, kernel);
 *   } catch (error) {
 *     if (error instanceof ConvmatError) console.log(error.code, error.message);
 *   }
 */
export class ConvmatError extends Error {
  /** Stays the same across versions, and tells the class without importing it. */
  readonly code: string = 'ERR_CONVMAT';

  /** The message is kept short, and what a terminal would obey in it is escaped: it may quote the caller's data. */
  constructor(message: string, options?: ErrorOptions) {
    super(printable(message, LONGEST_MESSAGE), options);
  }
}

/** What went wrong, of anything that was thrown; errors of another realm are no `Error` here. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}

/**
 * Shapes are of the wrong rank, or disagree with one another.
 *
 * @example
 *   try {
 *     matmul([[1, 2]], [[3, 4]]);
 *   } catch (error) {
 *     console.log(error instanceof ShapeError);
 *   }
 */
export class ShapeError extends ConvmatError {
  /** Stays the same across versions, and tells the class without importing it. */
  override readonly code = 'ERR_CONVMAT_SHAPE';
}

/**
 * A dtype is not served by the operation, or operands mix dtypes.
 *
 * @example
 *   try {
 *     asOperator(tensor(Int32Array.of(1, 2), [1, 2]));
 *   } catch (error) {
 *     console.log(error instanceof DTypeError);
 *   }
 */
export class DTypeError extends ConvmatError {
  /** Stays the same across versions, and tells the class without importing it. */
  override readonly code = 'ERR_CONVMAT_DTYPE';
}

/**
 * A value is of the wrong kind or out of range, or an option is unknown.
 *
 * @example
 *   try {
 *     conv2d(image, weight, { stride: 0 });
 *   } catch (error) {
 *     console.log(error instanceof ArgumentError);
 *   }
 */
export class ArgumentError extends ConvmatError {
  /** Stays the same across versions, and tells the class without importing it. */
  override readonly code = 'ERR_CONVMAT_ARGUMENT';
}

/**
 * The request is valid, but the algorithm, backend or machine that it names cannot serve it.
 *
 * @example
 *   try {
 *     conv2d(image, weight, { algorithm: 'depthwise' });
 *   } catch (error) {
 *     console.log(error instanceof UnsupportedError);
 *   }
 */
export class UnsupportedError extends ConvmatError {
  /** Stays the same across versions, and tells the class without importing it. */
  override readonly code = 'ERR_CONVMAT_UNSUPPORTED';
}

/**
 * The result or its workspace does not fit in memory, or passes what an index can count.
 *
 * @example
 *   try {
 *     convMatrix(kernel, { inputShape: [1, 999, 999] }).toDense({ maxBytes: 1e6 });
 *   } catch (error) {
 *     console.log(error instanceof MemoryError);
 *   }
 */
export class MemoryError extends ConvmatError {
  /** Stays the same across versions, and tells the class without importing it. */
  override readonly code = 'ERR_CONVMAT_MEMORY';
}

/**
 * A system of equations is singular to working precision.
 *
 * @example
 *   try {
 *     toeplitz([0, 0]).solve([1, 1]);
 *   } catch (error) {
 *     console.log(error instanceof SingularError);
 *   }
 */
export class SingularError extends ConvmatError {
  /** Stays the same across versions, and tells the class without importing it. */
  override readonly code = 'ERR_CONVMAT_SINGULAR';
}

/**
 * A file is not what its format demands.
 *
 * @example
 *   try {
 *     await io.readNpy(Uint8Array.of(1, 2, 3));
 *   } catch (error) {
 *     console.log(error instanceof FormatError);
 *   }
 */
export class FormatError extends ConvmatError {
  /** Stays the same across versions, and tells the class without importing it. */
  override readonly code = 'ERR_CONVMAT_FORMAT';
}

const CLASSES = {
  ConvmatError,
  ShapeError,
  DTypeError,
  ArgumentError,
  UnsupportedError,
  MemoryError,
  SingularError,
  FormatError,
};
// Names are written out, since minified classes have others; on the prototypes, where the first line of a stack trace finds
// them.
for (const [name, error] of Object.entries(CLASSES)) {
  Object.defineProperty(error.prototype, 'name', { value: name, writable: true, configurable: true });
}
