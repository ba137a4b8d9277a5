/**
 * Writes what lists/isas.json says in the languages of those that cannot read it: gyp, CMake, C++ and TypeScript.
 *
 *   node scripts/isas/write.mjs [--check]      --check writes nothing and fails where a file is not what it should be
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isas, isasOf } from './list.mjs';

const root = join(import.meta.dirname, '../..');
const native = isasOf('native');
const origin = 'Written by scripts/isas/write.mjs from lists/isas.json, and by nothing else';

/** A list of strings of gyp, which is Python, or of TypeScript. */
const list = (items) => `[${items.map((item) => `'${item}'`).join(', ')}]`;

const GYP = {
  x64: ['target_arch', 'x64'],
  arm64: ['target_arch', 'arm64'],
  linux: ['OS', 'linux'],
  darwin: ['OS', 'mac'],
  win32: ['OS', 'win'],
};

function gyp() {
  const condition = ({ on, not_on: notOn }) => {
    const tests = (words, sign) => words.map((word) => `${GYP[word][0]}${sign}"${GYP[word][1]}"`);
    return [...tests(on, '=='), ...tests(notOn, '!=')].join(' and ') || '1';
  };
  const flags = (isa) => list(['<@(isa_flags)', ...isa.flags]);
  const dependencies = native.map(
    (isa) => `        ['${condition(isa)}', {'isa_targets': ['convmat_${isa.identifier}']}],`,
  );
  const targets = native.map(
    (isa) => `    ['${condition(isa)}', {
      'targets': [{
        'target_name': 'convmat_${isa.identifier}',
        'type': 'static_library',
        'sources': ['${isa.identifier}.cc'],
        'cflags_cc': ${flags(isa)},
        'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ${flags(isa)}},
        'msvs_settings': {'VCCLCompilerTool': {'AdditionalOptions': ${list(isa.msvc_flags)}}},
      }],
    }],`,
  );
  return `# ${origin}.
# One static library per instruction set, and in \`isa_targets\` those that the addon of this machine has.
{
  'variables': {
    'variables': {
      'isa_targets': [],
      'conditions': [
${dependencies.join('\n')}
      ],
    },
    'isa_targets': ['<@(isa_targets)'],
  },
  'conditions': [
${targets.join('\n')}
  ],
}
`;
}

const CMAKE = {
  x64: ['CONVMAT_ARCH', 'x64'],
  arm64: ['CONVMAT_ARCH', 'arm64'],
  linux: ['CMAKE_SYSTEM_NAME', 'Linux'],
  darwin: ['CMAKE_SYSTEM_NAME', 'Darwin'],
  win32: ['CMAKE_SYSTEM_NAME', 'Windows'],
};

function cmake() {
  const units = native.map((isa) => {
    const { identifier, over, on, not_on: notOn, source, vectors, flags, msvc_flags: msvc } = isa;
    const test = (word) => `${CMAKE[word][0]} STREQUAL "${CMAKE[word][1]}"`;
    const tests = [...on.map(test), ...notOn.map((word) => `NOT ${test(word)}`)].join(' AND ') || 'TRUE';
    const words = (values) => values.map((value) => ` ${value}`).join('');
    return `if(${tests})
  list(APPEND ${over === undefined ? 'isas' : 'isas_over_others'} ${identifier})
  set(isa_source_${identifier} ${source})
  set(isa_vectors_${identifier} ${vectors})
  if(MSVC)
    set(isa_flags_${identifier}${words(msvc)})
  else()
    set(isa_flags_${identifier}${words(flags)})
  endif()
endif()`;
  });
  return `# ${origin}.
# \`isas\`, those of this machine that have a vector layer, and the others; of each its unit, the vector layer and the
# flags of its own.
set(isas "")
set(isas_over_others "")
${units.join('\n')}
`;
}

const CPP = {
  x64: 'CONVMAT_X64',
  arm64: 'CONVMAT_ARM64',
  linux: 'defined(__linux__)',
  darwin: 'defined(__APPLE__)',
  win32: 'defined(_WIN32)',
};

function cpp() {
  const units = native.map(({ identifier, over, on, not_on: notOn, features, quads }) => {
    const tests =
      [...on.map((word) => CPP[word]), ...notOn.map((word) => `!${CPP[word]}`)].join(' && ') || '1';
    const mask = (names) => names.map((name) => `${name}_bit`).join(' | ') || '0';
    const masks = `${mask(features)}, ${mask(quads)}`;
    const unit =
      over === undefined
        ? `CONVMAT_ISA_UNIT(${identifier}, ${masks})`
        : `CONVMAT_TILE_UNIT(${identifier}, ${over}, ${masks})`;
    return `#if ${tests}\n${unit}\n#endif`;
  });
  return `// ${origin}.
// The fastest first. Defined before this is included:
//   CONVMAT_ISA_UNIT(namespace of its table, features that it needs, those that its quads need beside them)
//   CONVMAT_TILE_UNIT(namespace of its tiles' table, that of the instruction set beside which they are, as above)
${units.join('\n')}
#undef CONVMAT_ISA_UNIT
#undef CONVMAT_TILE_UNIT
`;
}

function typescript() {
  const backends = [...new Set(isas.map(({ backend }) => backend))];
  const names = backends.map((name) => `  ${name}: ${list(isasOf(name).map((isa) => isa.name))},`);
  const types = backends.map((name) => {
    const union = isasOf(name).map((isa) => `'${isa.name}'`);
    const title = `${name[0].toUpperCase()}${name.slice(1)}`;
    return `/** The instruction sets of the backend '${name}'. */\nexport type ${title}Isa = ${union.join(' | ')};`;
  });
  const times = isas.map(({ name, times }) => `  ${name.includes('-') ? `'${name}'` : name}: '${times}',`);
  return `/** ${origin}. */

${types.join('\n')}

/** The instruction sets of each backend that has several, the fastest first. */
export const ISAS = {
${names.join('\n')}
} as const;

/** Whose fitted times say how long each takes. */
export const TIMED_AS = {
${times.join('\n')}
} as const;
`;
}

const FILES = {
  'native/isa/targets.gypi': gyp(),
  'native/isa/targets.cmake': cmake(),
  'native/runtime/isas.inc': cpp(),
  'lib/plan/isa-list.ts': typescript(),
};

const check = process.argv.includes('--check');
for (const [name, text] of Object.entries(FILES)) {
  const file = join(root, name);
  if (!check) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${name} is not what lists/isas.json says: node ${relative(root, import.meta.filename)}`);
    process.exitCode = 1;
  }
}
