/** Arrays by name, of which some could not be read. */
import { FormatError } from '../errors.js';
import type { ArrayRead } from './npy.js';

/** An object with every name: of an array that could not be read, reading the property throws why. */
export function recordOf<T extends ArrayRead>(
  arrays: readonly (readonly [name: string, array: ArrayRead | FormatError])[],
): Record<string, T> {
  const record: Record<string, T> = {};
  for (const [name, array] of arrays) {
    const value =
      array instanceof FormatError
        ? {
            get(): never {
              throw array;
            },
          }
        : { value: array, writable: true };
    // Not by assignment: a name may be __proto__.
    Object.defineProperty(record, name, { ...value, enumerable: true, configurable: true });
  }
  return record;
}
