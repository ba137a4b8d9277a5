/** Loads the file of WebAssembly, with relaxed instructions where they are known. */
import { relaxedSince } from '#host';
import { messageOf } from '../../errors.js';
import type { WasmIsa } from '../../plan/isa.js';
import { ISAS } from '../../plan/isa-list.js';
import type { NativeAddon } from '../native/addon.js';
import { differingPlan } from '../native/differing.js';
import { createWasmAddon } from './addon.js';
import { compile, Instance, validates } from './instance.js';
import { relaxed } from './relaxed.js';

/** The file; null when there is none. */
export type WasmFile = () => Uint8Array | null;

/** As the addon of native/loader.ts: what there is, or why there is none. */
export type LoadedWasm =
  | { readonly addon: NativeAddon; readonly isa: WasmIsa; readonly isaReason?: string }
  | { readonly addon?: undefined; readonly reason: string; readonly cause?: unknown };

/** @param wanted  The instruction set that is asked for; the fastest without. */
export function loadWasm(file: WasmFile, wanted: WasmIsa | undefined): LoadedWasm {
  if (typeof WebAssembly === 'undefined') return { reason: 'there is no WebAssembly' };
  try {
    const isa = wanted ?? ISAS.wasm.find(isKnown) ?? 'wasm';
    const lack = lackOf(isa);
    if (lack !== undefined) return { reason: lack };
    const bytes = file();
    if (bytes === null) return { reason: 'there is no file of WebAssembly' };
    const module = compile(isa === 'wasm-relaxed' ? relaxed(bytes) : bytes);
    const addon = createWasmAddon(new Instance(module), isa, module);
    const differing = differingPlan(addon);
    if (differing === null)
      return { addon, isa, ...(wanted === undefined && { isaReason: lackOf(ISAS.wasm[0]) }) };
    return { reason: `the file of WebAssembly is of another version of convmat (its ${differing} differ)` };
  } catch (error) {
    // A Content-Security-Policy without 'wasm-unsafe-eval' refuses to compile.
    return { reason: `WebAssembly does not compile: ${messageOf(error)}`, cause: error };
  }
}

declare const WebAssembly: unknown;

/** The instruction sets that are known here, the fastest first; none without the file. */
export function presentIsas(file: WasmFile): readonly WasmIsa[] {
  return file() === null ? [] : ISAS.wasm.filter(isKnown);
}

/** Why an instruction set cannot run here; undefined where it can. */
export function lackOf(isa: WasmIsa): string | undefined {
  return isKnown(isa) ? undefined : `this WebAssembly lacks the instructions of ${isa}${relaxedSince}`;
}

/** The least module that has an instruction of the set: a function that returns nothing of it. */
const PROBES: Readonly<Record<WasmIsa, readonly number[]>> = {
  // v128.const 0, drop
  wasm: [253, 12, ...new Array<number>(16).fill(0), 26],
  // three times v128.const 0, f32x4.relaxed_madd, drop
  'wasm-relaxed': [...[0, 1, 2].flatMap(() => [253, 12, ...new Array<number>(16).fill(0)]), 253, 133, 2, 26],
};

function isKnown(isa: WasmIsa): boolean {
  const body = [0, ...PROBES[isa], 11];
  const code = [1, body.length, ...body];
  return validates(
    Uint8Array.from([
      ...[0, 97, 115, 109, 1, 0, 0, 0],
      ...[1, 4, 1, 96, 0, 0], // a type: nothing to nothing
      ...[3, 2, 1, 0], // a function of it
      ...[10, code.length, ...code],
    ]),
  );
}
