/** What the library computes, in Chromium: the suites that run in Node.js, against the same golden files, on each backend. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BACKENDS, forcing, type Touch } from './support/backends';
import { bundleSuites, moduleAt, portableSuites } from './support/bundle';
import { useChromium } from './support/chromium';
import { type Server, serve } from './support/server';

const folder = mkdtempSync(join(tmpdir(), 'convmat-browser-'));
let server: Server;
beforeAll(async () => {
  await bundleSuites(join(folder, 'suites.js'));
  const pages = BACKENDS.map((backend) => [
    `/${backend.name}`,
    { html: forcing(backend, '/files/suites.js') },
  ]);
  server = await serve({ files: folder }, Object.fromEntries(pages));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: readonly string[];
}

/** What suites/run.ts leaves on the page. */
declare const runSuite: (path: string, which: 'all' | 'golden') => Promise<Outcome>;
declare const touches: () => Touch[];
declare const backendInfo: () => { backend: string; isa: string };

/** Suites that take no longer whole than their golden cases alone. */
const SHORT =
  /(data|errors|guidance|losses|structured|tensor|hostile|signal-(boundary|complex|filters))\.test\.ts$/;
/** CONVMAT_SUITES=all: properties and edges too, for some minutes. */
const isWhole = (path: string) => process.env.CONVMAT_SUITES === 'all' || SHORT.test(path);
const suites = portableSuites();

test('most of what the library computes needs nothing of Node.js', () => {
  expect(suites.length).toBeGreaterThan(30);
});

describe.each(BACKENDS)('$name', (backend) => {
  const open = useChromium();

  test('every suite', { timeout: 300_000 }, async () => {
    const { page, errors } = await open(`${server.origin}/${backend.name}`);
    await expect
      .poll(async () => [await page.evaluate(() => 'runSuite' in globalThis), ...errors], { timeout: 30_000 })
      .toEqual([true]);
    expect(await page.evaluate(() => backendInfo().isa)).toBe(backend.name);
    let passed = 0;
    const failed: string[] = [];
    for (const path of suites) {
      const outcome = await page.evaluate(([suite, tests]) => runSuite(suite, tests), [
        path,
        isWhole(path) ? 'all' : 'golden',
      ] as const);
      passed += outcome.passed;
      failed.push(...outcome.failed.map((message) => `${path}: ${message}`));
    }
    console.log(`${backend.name}: ${passed} tests of ${suites.length} files passed in Chromium`);
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThan(2000);
    const script = readFileSync(join(folder, 'suites.js'), 'utf8');
    const touched = (await page.evaluate(() => touches()))
      .map(({ name, line }) => `${name} in ${moduleAt(script, line)}`)
      .filter((text) => text.includes(' in dist/'));
    expect(touched).toEqual([]);
    expect(errors).toEqual([]);
  });
});
