/**
 * The backend that this process runs on: chosen once, when this module loads. What there is to choose from differs between
 * Node.js (choose-node.ts) and browsers (choose-browser.ts): `imports` of package.json picks one of them, as #backend.
 */
import { chooseBackend, wasmIsas as wasmIsasHere } from '#backend';
import type { SimdIsa, WasmIsa } from '../plan/isa.js';
import type { Backend } from './backend.js';

export interface ChosenBackend {
  readonly backend: Backend;
  readonly isas: readonly SimdIsa[];
  readonly cpuFeatures: readonly string[];
  /** Where the addon came from: 'build/Release', or the name of a prebuilt one. */
  readonly from?: string;
}

const chosen = chooseBackend();

export function backend(): Backend {
  return chosen.backend;
}

/** The instruction sets that the addon can run on this machine, best first; none without the addon. */
export function nativeIsas(): readonly string[] {
  return chosen.isas;
}

/** The instruction sets of WebAssembly that can run here, best first. */
export function wasmIsas(): readonly WasmIsa[] {
  return wasmIsasHere();
}

/** What the addon knows of this machine, and where it came from. */
export function addonReport(): Pick<ChosenBackend, 'isas' | 'cpuFeatures' | 'from'> {
  return chosen;
}
