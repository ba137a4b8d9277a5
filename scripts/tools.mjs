/**
 * Tools that only one command needs have a package.json and a lock of their own, so that `npm ci` of the repository
 * stays small. Installs them when they are missing or the lock has changed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param folder  Where the package.json stands. Throws, with what npm said, when they cannot be had. */
export function installTools(folder) {
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  // The lock that was installed from: modification times say nothing after a checkout.
  const mark = join(folder, 'node_modules/.installed-lock.json');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === lock) return;
  console.log(`installing the tools of ${folder} …`);
  // --force: programs of other platforms are among them.
  const args = ['ci', '--force', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'];
  const { status, stderr } = spawnSync('npm', args, {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error(`npm ci in ${folder}:\n${stderr}`);
  writeFileSync(mark, lock);
}
