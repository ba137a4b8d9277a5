/** The choice of a backend where no addon can load. */
import { createJsBackend } from './js/backend.js';
import type { ChosenBackend } from './select.js';

export function chooseBackend(): ChosenBackend {
  const fallbackReason = 'this is a build for browsers, which load no native code';
  return { backend: { ...createJsBackend(), fallbackReason }, isas: [], cpuFeatures: [] };
}
