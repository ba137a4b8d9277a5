/** The backend that this process runs on: chosen once, when it is first asked for. */

import { createJsBackend } from './js/backend.js';
import type { Backend } from './kernels.js';

let chosen: Backend | undefined;

export function backend(): Backend {
  chosen ??= createJsBackend();
  return chosen;
}

/** The instruction sets that the addon can run on this machine, best first; none without the addon. */
export function nativeIsas(): readonly string[] {
  return [];
}
