/** The declarations, as users' compilers read them: alone, strictly, and themselves checked. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const app = mkdtempSync(join(tmpdir(), 'convmat-types-'));
afterAll(() => rmSync(app, { recursive: true }));

mkdirSync(join(app, 'node_modules'));
symlinkSync(root, join(app, 'node_modules/convmat'), 'junction');
copyFileSync(join(root, 'test/hosts/types.mts'), join(app, 'types.mts'));

// The oldest and the newest that are supported, by the two ways in which packages are found; `npm run test:hosts` tries more.
test.each([
  { compiler: 'typescript-5.0', module: 'node16', moduleResolution: 'node16' },
  { compiler: 'typescript', module: 'esnext', moduleResolution: 'bundler' },
])(
  '$compiler, $moduleResolution: no other types than those of ES2022 are needed',
  ({ compiler, ...modules }) => {
    const compilerOptions = {
      ...modules,
      target: 'es2022',
      lib: ['es2022'],
      types: [],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      preserveSymlinks: true,
    };
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['types.mts'] }));
    const tsc = join(root, 'node_modules', compiler, 'bin/tsc');
    expect(complaints(tsc)).toBe('');
  },
);

/** What a compiler prints, which is nothing when it is content. */
function complaints(tsc: string): string {
  try {
    return execFileSync(process.execPath, [tsc, '-p', app], { encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}
