import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface ProgramOptions {
  /** Options of node itself. */
  readonly node?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What a program of its own process printed last, as JSON. Fails, with its output, when it does not end well. */
export function runProgram(url: URL, { node = [], args = [], env = {} }: ProgramOptions = {}): unknown {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...node, fileURLToPath(url), ...args],
    { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 60_000, maxBuffer: 1 << 26 },
  );
  if (status !== 0) throw new Error(`${url.pathname} ended with ${signal ?? status}:\n${stdout}${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
