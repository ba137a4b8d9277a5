/** What node.ts gives, of what every browser, worker and edge runtime has. */

const timer = globalThis.setTimeout.bind(globalThis);

export const now = performance.now.bind(performance);

/** Browsers differ. */
export const relaxedSince = '';

declare const CONVMAT_BACKEND: string | undefined;
declare const CONVMAT_ISA: string | undefined;

/** Globals that stand before the library's script. */
export const environment: Readonly<Record<string, string | undefined>> = {
  CONVMAT_BACKEND: typeof CONVMAT_BACKEND === 'undefined' ? undefined : CONVMAT_BACKEND,
  CONVMAT_ISA: typeof CONVMAT_ISA === 'undefined' ? undefined : CONVMAT_ISA,
};

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

interface Worker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: string, listener: (event: { readonly data: never }) => void): void;
}
declare const Worker: new (url: string) => Worker;
declare const Blob: new (parts: string[], options: { readonly type: string }) => object;
declare const URL: { createObjectURL(blob: object): string };

/** As that of node.ts. A page's policy may refuse it later: then `fail` is called. */
export function startWorker<Reply>(
  text: string,
  receive: (reply: Reply) => void,
  fail: () => void,
): { post(message: unknown, transfer: readonly ArrayBuffer[]): void; hold(): void; letGo(): void } {
  const worker = new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));
  worker.addEventListener('message', ({ data }) => receive(data));
  worker.addEventListener('error', fail);
  return {
    post: (message, transfer) => worker.postMessage(message, [...transfer]),
    hold: () => {},
    letGo: () => {},
  };
}
