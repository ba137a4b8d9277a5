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
