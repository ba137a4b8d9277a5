// What commands need of the machine beside Node.js and npm, and how to get it where it is missing:
//
//   node scripts/needs.mjs NAME…      one line for each that is missing, and exit status 1
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';

/** By name: the program that shows that it is there, and what installs it on each system. */
const NEEDS = {
  compiler: {
    title: 'a C++ compiler',
    programs: process.platform === 'win32' ? ['cl', 'clang-cl', 'g++'] : ['c++', 'g++', 'clang++'],
    debian: 'apt-get install g++ make',
    macOS: 'xcode-select --install',
    Windows: 'winget install Microsoft.VisualStudio.2022.BuildTools',
  },
  cmake: {
    title: 'CMake 3.19 or later',
    programs: ['cmake'],
    debian: 'apt-get install cmake',
    macOS: 'brew install cmake',
    Windows: 'winget install Kitware.CMake',
  },
  clang: {
    title: 'Clang with libFuzzer',
    programs: ['clang++'],
    debian: 'apt-get install clang libclang-rt-14-dev',
    macOS: 'brew install llvm',
    Windows: 'winget install LLVM.LLVM',
  },
  'clang-format': {
    title: 'clang-format',
    programs: ['clang-format'],
    debian: 'apt-get install clang-format',
    macOS: 'brew install clang-format',
    Windows: 'winget install LLVM.LLVM',
  },
  'clang-tidy': {
    title: 'clang-tidy',
    programs: ['clang-tidy'],
    debian: 'apt-get install clang-tidy',
    macOS: 'brew install llvm',
    Windows: 'winget install LLVM.LLVM',
  },
};

function isThere(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** Ends the process, with a line for each thing that is missing. */
export function need(...names) {
  const missing = names.map((name) => NEEDS[name]).filter(({ programs }) => !programs.some(isThere));
  for (const { title, debian, macOS, Windows } of missing)
    console.error(`missing: ${title} (Debian: ${debian}; macOS: ${macOS}; Windows: ${Windows})`);
  if (missing.length > 0) process.exit(1);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) need(...process.argv.slice(2));
