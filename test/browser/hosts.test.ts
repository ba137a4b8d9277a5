/** Where a page may run the library: in itself, in workers, under a strict policy, without a network. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, root } from './support/bundle';
import { useChromium } from './support/chromium';
import { type Server, serve } from './support/server';

interface Answers {
  readonly backend: string;
  readonly isa: string;
  readonly fallbackReason?: string;
  readonly first: number;
  readonly residual: number;
  readonly picture: readonly number[];
}
/** What test/hosts/page.mjs leaves. */
declare const answers: Promise<Answers>;

/** The answers that are the same wherever they come from. */
const EXPECTED = {
  asynchronous: true,
  prepared: true,
  convolved: [1, 3, 5, 3],
  learned: true,
  refusal: 'ShapeError',
  files: 'UnsupportedError',
};

/** What is best where nothing forbids it. */
const BEST = 'wasm';

function expectAnswers(given: Answers, backend = BEST): void {
  expect(given).toMatchObject({ ...EXPECTED, backend });
  expect(given.residual).toBeLessThan(1e-6);
  expect(Math.min(...given.picture)).toBeGreaterThan(16);
}

const folder = mkdtempSync(join(tmpdir(), 'convmat-hosts-'));
const STRICT = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'";
const html = '<link rel="icon" href="data:,"><script type="module" src="/files/page.js"></script>';
const SITE = ['/plain', '/files/page.js'];
const pages = {
  '/plain': { html },
  '/isolated': {
    html,
    headers: {
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    },
  },
  '/strict': {
    html: html.replace('href="data:,"', 'href="/files/none"'),
    headers: { 'content-security-policy': STRICT },
  },
  '/empty': { html: '<link rel="icon" href="data:,">' },
};

let server: Server;
beforeAll(async () => {
  const here = join(root, 'test/browser/pages');
  await bundle(join(root, 'test/hosts/page.mjs'), join(folder, 'page.js'));
  await bundle(join(here, 'worker.ts'), join(folder, 'worker.js'));
  await bundle(join(here, 'service-worker.ts'), join(folder, 'service-worker.js'), [
    { name: 'the site', intro: () => `const SITE = ${JSON.stringify(SITE)};` },
  ]);
  server = await serve({ files: folder }, pages);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const open = useChromium();
const answersOf = (page: Page): Promise<Answers> => page.evaluate(() => answers);

test('an ordinary page', async () => {
  const { page, errors } = await open(`${server.origin}/plain`);
  expect(await page.evaluate(() => [crossOriginIsolated, typeof SharedArrayBuffer])).toEqual([
    false,
    'undefined',
  ]);
  expectAnswers(await answersOf(page));
  expect(errors).toEqual([]);
});

test('a page that is isolated from other origins', async () => {
  const { page, errors } = await open(`${server.origin}/isolated`);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expectAnswers(await answersOf(page));
  expect(errors).toEqual([]);
});

test('a page whose policy allows its own scripts and nothing else: in JavaScript, and it says why', async () => {
  const { page } = await open(`${server.origin}/strict`);
  const given = await answersOf(page);
  expectAnswers(given, 'js');
  // Where WebAssembly is best, the policy is what forbids it.
  const because =
    String(BEST) === 'js' ? /build for browsers/ : /does not compile: .*Content Security Policy/i;
  expect(given.fallbackReason).toMatch(because);
});

test('a worker', async () => {
  const { page, errors } = await open(`${server.origin}/empty`);
  const given = await page.evaluate(
    () =>
      new Promise<Answers>((resolve, reject) => {
        const worker = new Worker('/files/worker.js', { type: 'module' });
        worker.onmessage = ({ data }) => (typeof data === 'string' ? reject(new Error(data)) : resolve(data));
        worker.onerror = ({ message }) => reject(new Error(message));
      }),
  );
  expectAnswers(given);
  expect(errors).toEqual([]);
});

/** Registers the service worker, and waits until it answers for the page. */
async function register(page: Page): Promise<void> {
  await page.evaluate(async () => {
    // Its own folder is what it may answer for, unless the server says more.
    await navigator.serviceWorker.register('/files/service-worker.js', { type: 'module', scope: '/' });
    if (navigator.serviceWorker.controller === null)
      await new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done));
  });
}

test('a service worker, and what it kept, without a network', async () => {
  const { page, errors } = await open(`${server.origin}/plain`);
  await register(page);
  const given = await page.evaluate(
    () =>
      new Promise<Answers>((resolve) => {
        navigator.serviceWorker.addEventListener('message', ({ data }) => resolve(data));
        navigator.serviceWorker.controller?.postMessage('answers');
      }),
  );
  expectAnswers(given);
  await page.context().setOffline(true);
  await page.reload();
  expectAnswers(await answersOf(page));
  expect(errors).toEqual([]);
  await expect(page.evaluate(() => fetch('/empty').then(() => 'a network'))).rejects.toThrow(/fetch/);
});
