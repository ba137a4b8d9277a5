/** Listening to an AbortSignal that many calls share: Node takes more than ten listeners on one for a leak, and warns. */

interface Listeners {
  readonly actions: Set<() => void>;
  readonly listener: () => void;
}
const listenersOf = new WeakMap<AbortSignal, Listeners>();

/** Runs `action` when the signal fires, unless the returned function has been called before. */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  const { actions, listener } = listenersOf.get(signal) ?? listen(signal);
  actions.add(action);
  return () => {
    if (!actions.delete(action) || actions.size > 0) return;
    signal.removeEventListener('abort', listener);
    listenersOf.delete(signal);
  };
}

function listen(signal: AbortSignal): Listeners {
  const actions = new Set<() => void>();
  const listener = () => {
    for (const action of actions) action();
  };
  const listeners = { actions, listener };
  listenersOf.set(signal, listeners);
  signal.addEventListener('abort', listener, { once: true });
  return listeners;
}
