/** The choice of a backend where no addon can load: WebAssembly where the page's policy allows it, else JavaScript. */
import { environment } from '#host';
import { inlined } from '#wasm-inlined';
import type { WasmIsa } from '../plan/isa.js';
import { ISAS } from '../plan/isa-list.js';
import { absentIsa, doesNotLoad, readChoice } from './forced.js';
import { createJsBackend } from './js/backend.js';
import { createNativeBackend } from './native/backend.js';
import type { ChosenBackend } from './select.js';
import { loadWasm, presentIsas } from './wasm/loader.js';

const BACKENDS = ['wasm', 'js'];
const NO_ADDON = 'this is a build for browsers, which load no native code';

/** Globals CONVMAT_BACKEND and CONVMAT_ISA, which stand before the library's script, say otherwise. */
export function chooseBackend(): ChosenBackend {
  const wanted = readChoice(environment, 'CONVMAT_BACKEND', BACKENDS);
  const named = readChoice(environment, 'CONVMAT_ISA', ISAS.wasm);
  const isa = ISAS.wasm.find((name) => name === named);
  if (wanted === 'js') {
    const reason = 'CONVMAT_BACKEND=js asks for JavaScript';
    if (isa !== undefined) throw absentIsa(isa, `there is none, since ${reason}`);
    return inJavaScript(reason);
  }
  const loaded = loadWasm(inlined, isa);
  if (loaded.addon === undefined) {
    if (wanted === 'wasm' || isa !== undefined) throw doesNotLoad('wasm', loaded.reason, loaded.cause);
    return inJavaScript(`${NO_ADDON}, and ${loaded.reason}`);
  }
  const { addon, isaReason } = loaded;
  const backend = { ...createNativeBackend(addon, loaded.isa, 'wasm'), fallbackReason: NO_ADDON, isaReason };
  return { backend, isas: [], cpuFeatures: addon.cpuFeatures };
}

function inJavaScript(fallbackReason: string): ChosenBackend {
  return { backend: { ...createJsBackend(), fallbackReason }, isas: [], cpuFeatures: [] };
}

export function wasmIsas(): readonly WasmIsa[] {
  return presentIsas(inlined);
}
