/** Written by scripts/isas/write.mjs from lists/isas.json, and by nothing else. */

/** The instruction sets of the backend 'native'. */
export type NativeIsa = 'amx' | 'avx512' | 'avx2' | 'neon' | 'generic';
/** The instruction sets of the backend 'wasm'. */
export type WasmIsa = 'wasm-relaxed' | 'wasm';

/** The instruction sets of each backend that has several, the fastest first. */
export const ISAS = {
  native: ['amx', 'avx512', 'avx2', 'neon', 'generic'],
  wasm: ['wasm-relaxed', 'wasm'],
} as const;

/** Whose fitted times say how long each takes. */
export const TIMED_AS = {
  amx: 'avx512',
  avx512: 'avx512',
  avx2: 'avx2',
  neon: 'avx2',
  generic: 'generic',
  'wasm-relaxed': 'wasm-relaxed',
  wasm: 'wasm',
} as const;
