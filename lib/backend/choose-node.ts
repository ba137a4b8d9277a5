/** The choice of a backend in Node.js, by the environment and what there is. */
import { environment } from '#host';
import { describe } from '../check.js';
import { ArgumentError, MemoryError } from '../errors.js';
import type { WasmIsa } from '../plan/isa.js';
import { ISAS } from '../plan/isa-list.js';
import { absentIsa, doesNotLoad, readChoice } from './forced.js';
import { createJsBackend } from './js/backend.js';
import { createNativeBackend } from './native/backend.js';
import { readWasm } from './native/binaries.cjs';
import { loadAddon } from './native/loader.js';
import type { ChosenBackend } from './select.js';
import { loadWasm, presentIsas } from './wasm/loader.js';

type Environment = typeof environment;

const BACKENDS = ['native', 'wasm', 'js'];
const MAX_THREADS = 1024;

/**
 * The addon where it loads, else WebAssembly, else JavaScript; CONVMAT_BACKEND, CONVMAT_ISA and CONVMAT_NUM_THREADS say
 * otherwise.
 */
export function chooseBackend(env: Environment = environment): ChosenBackend {
  const wanted = readChoice(env, 'CONVMAT_BACKEND', BACKENDS);
  const isa = readChoice(env, 'CONVMAT_ISA', [...ISAS.native, ...ISAS.wasm]);
  const threads = readThreads(env);
  if (wanted === 'js') return inJavaScript('CONVMAT_BACKEND=js asks for JavaScript', isa);
  const wasmIsa = ISAS.wasm.find((name) => name === isa);
  if (wanted === 'wasm' || (wanted === undefined && wasmIsa !== undefined)) {
    const asked = wanted === 'wasm' ? 'CONVMAT_BACKEND=wasm' : `CONVMAT_ISA=${isa}`;
    if (isa !== undefined && wasmIsa === undefined)
      throw absentIsa(isa, `WebAssembly has ${wasmIsas().join(', ')}`);
    return inWasm(`${asked} asks for WebAssembly`, wasmIsa, true);
  }

  const loaded = loadAddon();
  if (loaded.addon === undefined) {
    if (wanted === 'native') throw doesNotLoad('native', loaded.reason, loaded.cause);
    if (isa !== undefined) throw absentIsa(isa, `there is none, since ${loaded.reason}`);
    return inWasm(loaded.reason, undefined, false);
  }
  const { addon, from } = loaded;
  const { isas, cpuFeatures } = addon;
  const active = isa === undefined ? isas[0] : isas.find((name) => name === isa);
  if (active === undefined) throw absentIsa(isa, `this machine has ${isas.join(', ')}`);
  addon.configure({ ArgumentError, MemoryError, isa: active, threads });
  return { backend: createNativeBackend(addon, active), isas, cpuFeatures, from };
}

/** @param isRequired  Whether nothing else will do. */
function inWasm(fallbackReason: string, isa: WasmIsa | undefined, isRequired: boolean): ChosenBackend {
  const loaded = loadWasm(readWasm, isa);
  if (loaded.addon !== undefined) {
    const { isaReason } = loaded;
    const backend = { ...createNativeBackend(loaded.addon, loaded.isa, 'wasm'), fallbackReason, isaReason };
    return { backend, isas: [], cpuFeatures: loaded.addon.cpuFeatures };
  }
  if (isRequired) throw doesNotLoad('wasm', loaded.reason, loaded.cause);
  return inJavaScript(`${fallbackReason}, and ${loaded.reason}`, undefined);
}

/** The instruction sets of WebAssembly that can run here. */
export function wasmIsas(): readonly WasmIsa[] {
  return presentIsas(readWasm);
}

function inJavaScript(fallbackReason: string, isa: string | undefined): ChosenBackend {
  if (isa !== undefined) throw absentIsa(isa, `there is none, since ${fallbackReason}`);
  return { backend: { ...createJsBackend(), fallbackReason }, isas: [], cpuFeatures: [] };
}

function readThreads(env: Environment): number | undefined {
  const value = env['CONVMAT_NUM_THREADS'];
  if (value === undefined || value === '') return undefined;
  const threads = /^\d+$/.test(value) ? Number(value) : 0;
  if (threads < 1 || threads > MAX_THREADS) {
    throw new ArgumentError(
      `CONVMAT_NUM_THREADS: expected an integer from 1 to ${MAX_THREADS}, got ${describe(value)}`,
    );
  }
  return threads;
}
