/** Predicates, and the one way to make an error: argument, what it needs, what came. */
import { ArgumentError, type ConvmatError, MemoryError, ShapeError } from './errors.js';
import { printable, quoted } from './text.js';

type ErrorClass = new (message: string) => ConvmatError;

/** The error for `argument`: «weight: expected 4 axes, got shape [3, 3]». */
export function mismatch(
  Class: ErrorClass,
  argument: string,
  expected: string,
  actual: string,
): ConvmatError {
  return new Class(`${argument}: expected ${expected}, got ${actual}`);
}

/** The same for a wrong value of any kind, which the message shows. */
export function mistake(Class: ErrorClass, argument: string, expected: string, value: unknown): ConvmatError {
  return mismatch(Class, argument, expected, describe(value));
}

/** A value as a message shows it: short, and never throwing, whatever it is. */
export function describe(value: unknown): string {
  try {
    return shown(value, 0);
  } catch {
    // A proxy, or a getter that throws.
    return 'an object';
  }
}

// Padding nests two deep; what nests deeper, or holds itself, is shown as far as that.
const SHOWN_DEPTH = 3;
const SHOWN_ENTRIES = 8;
/** Larger integers are not written out: their digits cost more than linear time. */
const SHOWN_BIGINT = 2n ** 64n;

function shown(value: unknown, depth: number): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'bigint')
    return value < SHOWN_BIGINT && value > -SHOWN_BIGINT ? `${value}n` : 'a bigint past 64 bits';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  if (ArrayBuffer.isView(value)) return `${className(value)}(${'length' in value ? value.length : '?'})`;
  if (!Array.isArray(value)) return className(value);
  if (depth === SHOWN_DEPTH) return '[…]';
  const few = Math.min(value.length, SHOWN_ENTRIES);
  const entries = Array.from({ length: few }, (_, at) => shown(value[at], depth + 1)).join(', ');
  return value.length > SHOWN_ENTRIES ? `[${entries}, … ${value.length} in all]` : `[${entries}]`;
}

function className(value: object): string {
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== 'Object' && name !== '' ? printable(name, 40) : 'an object';
}

/** Shapes have few axes; what has more, such as a list that was taken for one, is cut. */
const SHOWN_AXES = 16;

export function describeShape(shape: readonly number[]): string {
  if (shape.length <= SHOWN_AXES) return `shape [${shape.join(', ')}]`;
  return `shape [${shape.slice(0, SHOWN_AXES).join(', ')}, … ${shape.length} in all]`;
}

export function isInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

/** The most elements that a tensor may have: an index is an int32 in the kernels. */
export const MAX_ELEMENTS = 2 ** 31 - 1;

/** The product of sizes, or MemoryError when it passes what a tensor may hold. An empty product is 1. */
export function elementCount(shape: readonly number[], argument: string): number {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const size of shape) count *= size;
  if (count > MAX_ELEMENTS) {
    throw mismatch(
      MemoryError,
      argument,
      'at most 2^31 - 1 elements',
      `${describeShape(shape)} with ${count}`,
    );
  }
  return count;
}

/** An integer in [min, max], or ArgumentError. */
export function checkInteger(value: unknown, argument: string, min: number, max = MAX_ELEMENTS): number {
  if (!isInteger(value) || value < min || value > max) {
    const range = max === MAX_ELEMENTS ? `an integer ≥ ${min}` : `an integer from ${min} to ${max}`;
    throw mistake(ArgumentError, argument, range, value);
  }
  return value;
}

/**
 * Offsets of rows as what walks by them needs them: from 0 to the number of entries, never falling. Asked at each walk, since
 * a matrix shares its arrays with whoever made it.
 */
export function checkOffsets(indptr: Int32Array, rows: number, entries: number): void {
  if (indptr.length !== rows + 1) {
    throw mismatch(ShapeError, 'indptr', `${rows + 1} offsets for ${rows} rows`, `${indptr.length}`);
  }
  if (indptr[0] !== 0 || indptr[rows] !== entries) {
    const ends = `${indptr[0]} to ${indptr[rows]}`;
    throw mismatch(ArgumentError, 'indptr', `offsets from 0 to ${entries}`, ends);
  }
  for (let i = 0; i < rows; i++) {
    if (indptr[i + 1] < indptr[i]) {
      const falls = `${indptr[i]} before ${indptr[i + 1]} at row ${i}`;
      throw mismatch(ArgumentError, 'indptr', 'offsets that never fall', falls);
    }
  }
}

/** A number that is not NaN and lies in [min, max], or ArgumentError. */
export function checkNumber(value: unknown, argument: string, min = -Infinity, max = Infinity): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    const range =
      min === -Infinity && max === Infinity
        ? 'a number'
        : max === Infinity
          ? `a number ≥ ${min}`
          : `a number from ${min} to ${max}`;
    throw mistake(ArgumentError, argument, range, value);
  }
  return value;
}

export function checkBoolean(value: unknown, argument: string): boolean {
  if (typeof value !== 'boolean') throw mistake(ArgumentError, argument, 'true or false', value);
  return value;
}

export function checkFunction<F extends (...args: never[]) => unknown>(value: F, argument: string): F {
  if (typeof value !== 'function') throw mistake(ArgumentError, argument, 'a function', value);
  return value;
}

export function checkOneOf<const T extends string>(
  value: unknown,
  argument: string,
  choices: readonly T[],
): T {
  const chosen = choices.find((choice) => choice === value);
  if (chosen === undefined) {
    throw mistake(ArgumentError, argument, `one of ${choices.map((c) => `'${c}'`).join(', ')}`, value);
  }
  return chosen;
}

/** Options that take tensors, which some libraries take as arguments of their own. */
const TENSOR_OPTIONS: readonly string[] = ['out', 'bias'];

/**
 * The caller's options as an object that has only known names, or ArgumentError: a misspelt option must not pass
 * for a default. `undefined` stands for no options, and an option that is `undefined` for its default.
 */
export function checkOptions<T extends object>(
  options: T | undefined,
  known: readonly string[],
  argument = 'options',
): Partial<T> {
  if (options === undefined) return {};
  if (
    options === null ||
    typeof options !== 'object' ||
    isRevoked(options) ||
    Array.isArray(options) ||
    ArrayBuffer.isView(options)
  ) {
    throw mistake(ArgumentError, argument, 'an object', options);
  }
  if ('data' in options && ('shape' in options || 'dims' in options)) {
    const names = TENSOR_OPTIONS.filter((name) => known.includes(name)).map((name) => `{ ${name}: tensor }`);
    const remedy = names.length > 0 ? ` (${names.join(' or ')} for a tensor)` : '';
    throw mistake(ArgumentError, argument, `options by name${remedy}`, options);
  }
  for (const name in options) {
    if (!known.includes(name)) {
      const unknown = `${argument}.${printable(name, 60)}`;
      throw new ArgumentError(`${unknown}: unknown option, expected one of ${known.join(', ')}`);
    }
  }
  return options;
}

/** Whether a value is a proxy that was revoked: whatever is asked of one throws. */
export function isRevoked(value: unknown): boolean {
  try {
    return Array.isArray(value) === undefined;
  } catch {
    return true;
  }
}

/** Whether a value has properties that can be looked at: null and a revoked proxy have none. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isRevoked(value);
}

/** Array.isArray, which a revoked proxy makes throw. */
export function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** instanceof, which a revoked proxy makes throw. */
export function isInstance<T>(value: unknown, Class: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof Class;
  } catch {
    return false;
  }
}

/** The most axes of a tensor, and so the most numbers that an option or shape may list. */
export const MAX_AXES = 64;

/**
 * The entries of an array or typed array, without holes (a detached one has none); null for anything else. Of a list
 * that is longer than `most` only the entries up to the first too many, so that its length costs nothing.
 */
export function listOf(value: unknown, most: number): unknown[] | null {
  if (isRevoked(value)) return null;
  // Shapes are lists, in every call: a loop, without a function for each entry, and never the list's own iterator.
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    for (let i = 0; i < value.length && i <= most; i++) list.push(value[i]);
    return list;
  }
  // A DataView has no length.
  if (!ArrayBuffer.isView(value) || !('length' in value)) return null;
  const length = Math.min(Number(value.length), most + 1);
  return Array.from({ length }, (_, index) => Reflect.get(value, index));
}

/** A list of sizes (integers ≥ 0), or ArgumentError. */
export function checkShape(shape: unknown, argument: string, min = 0): number[] {
  const list = listOf(shape, MAX_AXES);
  if (list === null) throw mistake(ArgumentError, argument, 'an array of sizes', shape);
  if (list.length > MAX_AXES) throw mistake(ShapeError, argument, `at most ${MAX_AXES} axes`, shape);
  return list.map((size, axis) => checkInteger(size, `${argument}[${axis}]`, min));
}

/** Whether a value is an object of named properties, and no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
