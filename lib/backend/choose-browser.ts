/** The choice of a backend where no addon can load: WebAssembly where the page's policy allows it, else JavaScript. */
import { inlined } from '#wasm-inlined';
import type { WasmIsa } from '../plan/isa.js';
import { createJsBackend } from './js/backend.js';
import { createNativeBackend } from './native/backend.js';
import type { ChosenBackend } from './select.js';
import { loadWasm, presentIsas } from './wasm/loader.js';

const NO_ADDON = 'this is a build for browsers, which load no native code';

export function chooseBackend(): ChosenBackend {
  const loaded = loadWasm(inlined, undefined);
  if (loaded.addon === undefined) {
    const fallbackReason = `${NO_ADDON}, and ${loaded.reason}`;
    return { backend: { ...createJsBackend(), fallbackReason }, isas: [], cpuFeatures: [] };
  }
  const backend = { ...createNativeBackend(loaded.addon, loaded.isa, 'wasm'), fallbackReason: NO_ADDON };
  return { backend, isas: [], cpuFeatures: loaded.addon.cpuFeatures };
}

export function wasmIsas(): readonly WasmIsa[] {
  return presentIsas(inlined);
}
