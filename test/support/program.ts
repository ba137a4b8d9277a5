import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface ProgramOptions {
  /** Options of node itself. */
  readonly node?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Where everything is slower, under sanitizers, programs may take as much longer. */
const MOST_MS = 60_000 * Number(process.env.CONVMAT_SLOWED ?? 1);

/** What a program of its own process printed last, as JSON. Fails, with its output, when it does not end well. */
export function runProgram(url: URL, { node = [], args = [], env = {} }: ProgramOptions = {}): unknown {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...node, fileURLToPath(url), ...args],
    { encoding: 'utf8', env: { ...process.env, ...env }, timeout: MOST_MS, maxBuffer: 1 << 26 },
  );
  if (status !== 0) throw new Error(`${url.pathname} ended with ${signal ?? status}:\n${stdout}${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
