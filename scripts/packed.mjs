/** The package as its users get it: packed, and installed in an empty folder. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Runs a command and gives what it printed; throws, with its output, when it fails. */
export function run(command, args, { cwd, ...options } = {}) {
  try {
    return execFileSync(command, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
      maxBuffer: 1 << 26,
      ...options,
    });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}${error.stderr}${error.code ?? ''}`);
  }
}

/**
 * Packs what is published, from a copy beside the repository, so that no binary of this machine's gets among those of a
 * release: where prebuilds/ has none for this machine, the copy gets the one that was built here.
 *
 * @param scratch  A folder for the copy and the tarball; @returns the tarball's path.
 */
export function pack(scratch) {
  run('npm', ['run', 'build:ts'], { cwd: root });
  const staged = join(scratch, 'staged');
  const listed = run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  for (const { path } of JSON.parse(listed)[0].files) {
    mkdirSync(dirname(join(staged, path)), { recursive: true });
    copyFileSync(join(root, path), join(staged, path));
  }
  const binary = join(staged, `prebuilds/${process.platform}-${process.arch}/convmat.node`);
  if (!existsSync(binary)) {
    const local = join(root, 'build/Release/convmat.node');
    if (!existsSync(local)) run('npm', ['run', 'build:native'], { cwd: root });
    mkdirSync(dirname(binary), { recursive: true });
    copyFileSync(local, binary);
  }
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch], { cwd: staged });
  return join(
    scratch,
    readdirSync(scratch).find((name) => name.endsWith('.tgz')),
  );
}

/**
 * Installs a tarball in a new folder, without scripts.
 *
 * @param npm  The command that npm is run by; @returns the folder, which holds node_modules/convmat.
 */
export function install(tarball, folder, [command, ...prefix] = ['npm'], options = {}) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const args = ['install', '--silent', '--ignore-scripts', '--no-audit', '--no-fund', tarball];
  run(command, [...prefix, ...args], { cwd: folder, ...options });
  return folder;
}
