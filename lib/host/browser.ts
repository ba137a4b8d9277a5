/** What node.ts gives, of what every browser, worker and edge runtime has. */

const timer = globalThis.setTimeout.bind(globalThis);

export const now = performance.now.bind(performance);

export const environment: Readonly<Record<string, string | undefined>> = {};

/**
 * A message to oneself: timers are slowed to some milliseconds after the fifth in a row. Each call has a channel of its
 * own, since an open port would keep a runtime like Node's alive.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof MessageChannel === 'undefined') {
      timer(resolve, 0);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    const arrived = () => {
      port1.close();
      resolve();
    };
    port1.addEventListener('message', arrived);
    port1.start();
    port2.postMessage(undefined);
  });
}

export function uninitialisedBuffer(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes);
}

/** Browsers deflate asynchronously only. */
export function deflated(_bytes: Uint8Array): Uint8Array | undefined {
  return undefined;
}
