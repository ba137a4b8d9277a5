/**
 * The instruction sets, as lists/isas.json has them: the fastest first, since the first that a machine can run is taken.
 *
 *     name        as CONVMAT_ISA and users have it. Its unit is native/isa/NAME.cc, its vector layer
 *                 native/simd/vec_NAME.h, its namespace convmat::NAME; `-` is `_` in all three
 *     backend     which backend runs it: 'native' is what binding.gyp and CMakeLists.txt build into the addon, and
 *                 runtime/cpu.cc looks for; another backend's build takes its own entries
 *     over        the name of one that it adds to: it has that one's flags, features, places and vector layer, and its own
 *                 beside them. In WebAssembly both are one file
 *     on, not_on  a processor (x64, arm64) or a system (linux, darwin, win32), as Node.js calls them; everywhere without.
 *                 Resolved, they are lists: on all of the first, and on none of the second
 *     flags       of GCC and Clang, beside those that all units have; msvc_flags those of MSVC
 *     features    of the CPU that it needs, as runtime/cpu.cc names them
 *     quads       features that its kernels of quads of 8-bit integers need beside those
 *     times       whose fitted times (lib/plan/model/fitted.ts) say how long it takes: its own, or a relative's until it
 *                 has been measured
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const entries = JSON.parse(readFileSync(join(root, 'lists/isas.json'), 'utf8'));

function resolve(entry) {
  const base = entry.over === undefined ? undefined : resolve(entryNamed(entry.over));
  const identifier = entry.name.replaceAll('-', '_');
  const both = (field) => [...(base?.[field] ?? []), ...[entry[field] ?? []].flat()];
  return {
    ...entry,
    identifier,
    source: `native/isa/${identifier}.cc`,
    vectors: base?.vectors ?? `simd/vec_${identifier}.h`,
    over: base?.identifier,
    on: both('on'),
    not_on: both('not_on'),
    flags: both('flags'),
    msvc_flags: both('msvc_flags'),
    features: both('features'),
    quads: both('quads'),
  };
}

function entryNamed(name) {
  const found = entries.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`lists/isas.json: there is no ${name}`);
  return found;
}

export const isas = entries.map(resolve);

/** Those of a backend, on every machine or on one of them. */
export function isasOf(backend, { platform, arch } = {}) {
  const is = (word) => word === platform || word === arch;
  return isas.filter((isa) => {
    if (isa.backend !== backend) return false;
    if (arch === undefined) return true;
    return isa.on.every(is) && !isa.not_on.some(is);
  });
}
