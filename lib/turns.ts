/** The event loop's turns. The timer is the one that there was at load: a test's fake timers must not stop the library. */
const { setImmediate: schedule } = globalThis;

/** Resolves at the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => schedule(resolve));
}
