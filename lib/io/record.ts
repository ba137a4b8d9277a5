/** Arrays by name, of which some could not be read. */
import { FormatError } from '../errors.js';
import type { ArrayRead } from './npy.js';

/** An object with every name: of an array that could not be read, reading the property throws why. */
export function recordOf<T extends ArrayRead>(
  arrays: readonly (readonly [name: string, array: ArrayRead | FormatError])[],
): Record<string, T> {
  const record: Record<string, T> = {};
  for (const [name, array] of arrays) {
    if (array instanceof FormatError) {
      const get = (): never => {
        throw array;
      };
      Object.defineProperty(record, name, { get, enumerable: true, configurable: true });
    } else if (name === '__proto__') {
      // By assignment it would become the prototype.
      const value = { value: array, writable: true, enumerable: true, configurable: true };
      Object.defineProperty(record, name, value);
    } else record[name] = array as T;
  }
  return record;
}
