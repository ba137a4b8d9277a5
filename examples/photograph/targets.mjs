// The backends of this machine, as the environment variables that force them: every instruction set that the addon
// has and the CPU can run, and JavaScript.
import { createRequire } from 'node:module';

export function targets() {
  const { nativeIsas } = createRequire(import.meta.url)('../../dist/backend/select.js');
  return [
    ...nativeIsas().map((isa) => ({ CONVMAT_BACKEND: 'native', CONVMAT_ISA: isa })),
    { CONVMAT_BACKEND: 'js' },
  ];
}
