/** The file of WebAssembly inside a module, for builds that cannot read files when they start. */
declare module '#wasm-inlined' {
  /** Null when it was not built. */
  export function inlined(): Uint8Array | null;
}

/** worker.ts and all that it imports, as the text of one script. */
declare module '#wasm-worker' {
  export const workerText: string;
}
