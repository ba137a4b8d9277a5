/** What the choice of an algorithm needs to know of the machine, as plain data. */
import type { NativeIsa, WasmIsa } from './isa-list.js';
import type { Tuning } from './model/tuning.js';

export type { NativeIsa, WasmIsa };

/** Those of kernels in C++, as machine code or in WebAssembly. */
export type SimdIsa = NativeIsa | WasmIsa;

/** What a backend runs on. */
export type Isa = SimdIsa | 'js';

export interface NativeMachine {
  readonly isa: SimdIsa;
  readonly threads: number;
  /** Sizes of its loops, which the model of their time follows. */
  readonly tuning: Tuning;
}

export interface JsMachine {
  readonly isa: 'js';
  readonly threads: number;
}

export type Machine = NativeMachine | JsMachine;
