/** The backends that load in a browser, each with the globals that force it, before the library's script. */
export interface ForcedBackend {
  readonly name: string;
  readonly globals: Readonly<Record<string, string>>;
}

export const BACKENDS: readonly ForcedBackend[] = [
  { name: 'wasm-relaxed', globals: { CONVMAT_BACKEND: 'wasm', CONVMAT_ISA: 'wasm-relaxed' } },
  { name: 'wasm', globals: { CONVMAT_BACKEND: 'wasm', CONVMAT_ISA: 'wasm' } },
  { name: 'js', globals: { CONVMAT_BACKEND: 'js' } },
];

/** A page that forces a backend, and then loads a script. */
export function forcing({ globals }: ForcedBackend, script: string): string {
  const force = `Object.assign(globalThis, ${JSON.stringify(globals)});`;
  return `<link rel="icon" href="data:,"><script>${force}${TRAPS}</script><script type="module" src="${script}"></script>`;
}

/** A global of Node.js, and the line of the script that asked for it. */
export interface Touch {
  readonly name: string;
  readonly line: number;
}

/** What Node.js has and a page has not. Whoever asks for it, be it by typeof, is noted in touches(). */
const TRAPS = `
  const all = new Map();
  for (const name of ['process', 'Buffer', 'require', 'module', 'exports', '__dirname', '__filename', 'global', 'setImmediate'])
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get() {
        const [, , caller = ''] = new Error().stack.split('\\n');
        const line = Number(/:(\\d+):\\d+\\)?$/.exec(caller)?.[1]);
        all.set(name + line, { name, line });
        return undefined;
      },
      set(value) { Object.defineProperty(globalThis, name, { value, configurable: true, writable: true }); },
    });
  globalThis.touches = () => [...all.values()];
`;
