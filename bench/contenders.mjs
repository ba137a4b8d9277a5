// Who is measured: each in a process of its own, which speaks one line of JSON per request (see peers/serve.mjs).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pythonWith } from './python.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const require = createRequire(import.meta.url);
const { nativeIsas, wasmIsas } = require('../dist/backend/select.js');

export const installed = (name) => existsSync(here(`./node_modules/${name}/package.json`));
export const PYTHON = pythonWith('torch');

export const node = (peer, env = {}) => ({
  command: process.execPath,
  args: [here(`./peers/${peer}.mjs`)],
  env,
});

/** Name → how to start it. `own` ones are convmat's; of the others the best is the peer to beat. */
export const contenders = {
  ...Object.fromEntries(
    nativeIsas().map((isa) => [
      isa,
      { own: true, ...node('convmat', { CONVMAT_BACKEND: 'native', CONVMAT_ISA: isa }) },
    ]),
  ),
  ...Object.fromEntries(
    wasmIsas().map((isa) => [
      isa,
      { own: true, ...node('convmat', { CONVMAT_BACKEND: 'wasm', CONVMAT_ISA: isa }) },
    ]),
  ),
  js: { own: true, slow: true, ...node('convmat', { CONVMAT_BACKEND: 'js' }) },
  ...(installed('onnxruntime-node') && { onnxruntime: node('onnxruntime') }),
  ...(PYTHON && { pytorch: { command: PYTHON, args: [here('./peers/torch_peer.py')], env: {} } }),
  ...(installed('@tensorflow/tfjs-backend-wasm') && { 'tfjs-wasm': node('tfjs', { TFJS_BACKEND: 'wasm' }) }),
  ...(installed('onnxruntime-web') && { 'onnxruntime-web': node('onnxruntime-web') }),
  ...(installed('@tensorflow/tfjs') && {
    'tfjs-cpu': { slow: true, ...node('tfjs', { TFJS_BACKEND: 'cpu' }) },
  }),
};

/** Environment that holds every library to this many threads. No process is pinned: that distorts some peers. */
export function threadEnvironment(threads) {
  const names = [
    'CONVMAT_NUM_THREADS',
    'OMP_NUM_THREADS',
    'OPENBLAS_NUM_THREADS',
    'MKL_NUM_THREADS',
    'BENCH_THREADS',
  ];
  return Object.fromEntries(names.map((name) => [name, String(threads)]));
}

/** A running contender. */
export class Contender {
  #child;
  #answers;

  /** @param how  How to start it, when it is not one of the table. */
  constructor(name, threads, how = contenders[name]) {
    this.name = name;
    const { command, args, env } = how;
    this.#child = spawn(command, args, {
      env: { ...process.env, ...threadEnvironment(threads), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request) {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`${this.name} ended`);
    return JSON.parse(value);
  }

  stop() {
    this.#child.stdin.end();
    this.#child.kill();
  }
}
