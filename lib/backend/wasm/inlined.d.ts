/** The files of WebAssembly inside a module, for builds that cannot read files when they start. */
declare module '#wasm-inlined' {
  /** The file of an instruction set; null when it was not built. */
  export function inlined(isa: 'wasm' | 'wasm-relaxed'): Uint8Array | null;
}

/** worker.ts and all that it imports, as the text of one script. */
declare module '#wasm-worker' {
  export const workerText: string;
}
