/** What the addon calls back, as promises. */
import { type AbortSignalLike, onAbort } from '../abort.js';
import type { AsyncCallback, NativeAddon } from './addon.js';

/**
 * @param start  Begins the work and gives its number; the callback comes once, later.
 * @returns what the callback brings; a signal cancels the work and rejects with its reason.
 */
export function settled<Result>(
  addon: NativeAddon,
  start: (callback: AsyncCallback<Result>) => number,
  signal?: AbortSignalLike,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let ignore: (() => void) | undefined;
    const number = start((error, result) => {
      ignore?.();
      if (error !== undefined) reject(error);
      else if (result !== undefined) resolve(result);
    });
    if (signal === undefined) return;
    ignore = onAbort(signal, () => {
      addon.cancel(number);
      reject(signal.reason);
    });
  });
}
