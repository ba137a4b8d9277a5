/** AbortSignals, of this realm or another, and listening to one that many calls share. */
import { isObject } from '../check.js';

/** What is asked of an AbortSignal: declared here, so that the types stand without a platform's. */
export interface AbortSignalLike {
  /** Whether it has fired. */
  readonly aborted: boolean;
  /** What a call that it ends is rejected with. */
  readonly reason: unknown;
  /** Throws the reason once it has fired. */
  throwIfAborted(): void;
  /** Calls `listener` when it fires. */
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  /** Calls it no more. */
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** By what it can do: test environments and frames have an AbortSignal of their own. */
export function isSignal(value: unknown): value is AbortSignalLike {
  if (!isObject(value)) return false;
  const { aborted, throwIfAborted, addEventListener, removeEventListener }: Partial<AbortSignalLike> = value;
  return (
    typeof aborted === 'boolean' &&
    [throwIfAborted, addEventListener, removeEventListener].every((method) => typeof method === 'function')
  );
}

interface Listeners {
  readonly actions: Set<() => void>;
  readonly listener: () => void;
}
// Node takes more than ten listeners on one signal for a leak, and warns.
const listenersOf = new WeakMap<AbortSignalLike, Listeners>();

/** Runs `action` when the signal fires, unless the returned function has been called before. */
export function onAbort(signal: AbortSignalLike, action: () => void): () => void {
  const { actions, listener } = listenersOf.get(signal) ?? listen(signal);
  actions.add(action);
  return () => {
    if (!actions.delete(action) || actions.size > 0) return;
    signal.removeEventListener('abort', listener);
    listenersOf.delete(signal);
  };
}

/** What comes of the work, or a rejection with the signal's reason before: the work itself goes on. */
export async function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignalLike | undefined,
): Promise<Result> {
  if (signal === undefined) return work;
  let ignore = () => {};
  const aborted = new Promise<never>((_, reject) => {
    ignore = onAbort(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    ignore();
  }
}

function listen(signal: AbortSignalLike): Listeners {
  const actions = new Set<() => void>();
  const listener = () => {
    for (const action of actions) action();
  };
  const listeners = { actions, listener };
  listenersOf.set(signal, listeners);
  signal.addEventListener('abort', listener, { once: true });
  return listeners;
}
