/**
 * What the machine's side gives besides the language: in Node.js, Bun and Deno. browser.ts gives the same to a browser;
 * `imports` of package.json picks one, as #host.
 */
import { setImmediate } from 'node:timers';
import { Worker } from 'node:worker_threads';

// Taken when the module loads: tests put clocks of their own in place of these, which stand still until told to move.
const immediately = setImmediate;

/** Milliseconds since some moment. */
export const now = performance.now.bind(performance);

/** The variables that the process was started with. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;

/** Since when relaxed instructions of WebAssembly are known, as the end of a sentence. */
export const relaxedSince =
  ', which Node.js has from version 22 on, and version 20 with --experimental-wasm-relaxed-simd';

/** Resolves after the event loop has served what else was waiting. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    immediately(resolve);
  });
}

/** Memory that holds whatever it held before: for results whose every element is about to be written. */
export function uninitialisedBuffer(bytes: number): ArrayBuffer {
  return Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer;
}

/** Bytes as a zlib stream; undefined where nothing deflates synchronously. */
export function deflated(bytes: Uint8Array): Uint8Array | undefined {
  // Looked up when used, since loading it takes longer than loading all of convmat. Node.js has this since 20.16.
  return process.getBuiltinModule?.('node:zlib').deflateSync(bytes);
}

/** Another thread of JavaScript. */
export interface WorkerHandle {
  post(message: unknown, transfer: readonly ArrayBuffer[]): void;
  /** The process goes on until it is let go. */
  hold(): void;
  letGo(): void;
}

/** Starts a thread that runs a text, and that keeps no process alive by itself. Throws where there can be none. */
export function startWorker<Reply>(
  text: string,
  receive: (reply: Reply) => void,
  fail: () => void,
): WorkerHandle {
  const port = "globalThis.convmatPort = require('node:worker_threads').parentPort;\n";
  const worker = new Worker(port + text, { eval: true, execArgv: [], stdin: false });
  worker.unref();
  worker.on('message', receive);
  worker.on('error', fail);
  worker.on('exit', fail);
  return {
    post: (message, transfer) => worker.postMessage(message, [...transfer]),
    hold: () => worker.ref(),
    letGo: () => worker.unref(),
  };
}
