/** What runs: the backend, its instruction set, and how many threads. */

import type { BackendName } from './backend/backend.js';
import { backend } from './backend/select.js';
import { checkInteger } from './check.js';
import type { Isa } from './plan/isa.js';
import { VERSION } from './version.js';

/** What runs in this process. */
export interface BackendInfo {
  /** C++; where that does not load, the same in WebAssembly; where that is missing or forbidden, JavaScript. */
  readonly backend: BackendName;
  /** The instruction set of its kernels. */
  readonly isa: Isa;
  /** How many threads a call may use. */
  readonly threads: number;
  /** Why no faster backend is in use; undefined when the native one is. */
  readonly fallbackReason?: string;
  /** Why WebAssembly runs without its relaxed instructions; undefined where it has them, or where `isa` was asked for. */
  readonly isaReason?: string;
  /** Of convmat. */
  readonly version: string;
}

const MAX_THREADS = 1024;

/**
 * The backend in use: chosen once, when the module loads. CONVMAT_BACKEND=native|wasm|js and CONVMAT_ISA, the name of an
 * instruction set ({@link Isa}), override the choice; 'native' or 'wasm' that cannot load then throws.
 * @example const { backend, isa, threads } = backendInfo();
 */
export function backendInfo(): BackendInfo {
  const { name, machine, fallbackReason, isaReason } = backend();
  return {
    backend: name,
    isa: machine.isa,
    threads: machine.threads,
    ...(fallbackReason && { fallbackReason }),
    ...(isaReason && { isaReason }),
    version: VERSION,
  };
}

/**
 * How many threads a call may use. Default: the physical cores available to the process; CONVMAT_NUM_THREADS
 * overrides. Results do not depend on it, bit for bit.
 *
 * @throws {ArgumentError} unless n is an integer from 1 to 1024.
 * @example setNumThreads(1);
 */
export function setNumThreads(n: number): void {
  backend().setNumThreads(checkInteger(n, 'n', 1, MAX_THREADS));
}
