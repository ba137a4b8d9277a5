/** The documentation's site as `npm run docs` makes it: its pages, its search, and the way to the explorer. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isBuilt } from '../../scripts/built.mjs';
import { root } from './support/bundle';
import { useChromium } from './support/chromium';
import { type Server, serve } from './support/server';

const site = join(root, 'build-docs/site');
let server: Server;
beforeAll(async () => {
  if (!isBuilt('docs')) {
    const script = join(root, 'scripts/docs.mjs');
    const { stdout, stderr } = spawnSync(process.execPath, [script], { cwd: root, encoding: 'utf8' });
    // What lacks a comment is for `npm run check:docs` to tell: here is what was made.
    expect(isBuilt('docs'), `${stdout}${stderr}`).toBe(true);
  }
  server = await serve({ site });
}, 180_000);
afterAll(() => server?.close());

const open = useChromium();

test('the front page opens, and shows what the README does', async () => {
  const { page, errors } = await open(`${server.origin}/site/index.html`);
  await expect.poll(() => page.locator('h2').first().textContent()).toMatch(/Install/);
  // A page of text, not a blank one: some hundred words within the window.
  const words = await page.evaluate(
    () => document.querySelector('.col-content')?.textContent?.split(/\s+/).length,
  );
  expect(words).toBeGreaterThan(500);
  expect(errors).toEqual([]);
});

test.each([
  ['unfold', /functions\/convmat\.unfold\.html/],
  ['ConvMatrix', /classes\/convmat\.ConvMatrix\.html/],
  ['glossary', /documents\/docs_glossary\.html/],
])('a search for %s leads to its page', async (words, address) => {
  const { page, errors } = await open(`${server.origin}/site/index.html`);
  await page.click('#tsd-search-trigger');
  await page.fill('#tsd-search-input', words);
  const found = page.locator('#tsd-search-results a');
  await expect
    .poll(() => found.evaluateAll((all) => all.map((one) => (one as HTMLAnchorElement).href).join('\n')))
    .toMatch(address);
  const first = found.filter({ hasText: new RegExp(words, 'i') }).first();
  await first.click();
  await expect.poll(() => page.url()).toMatch(/\/(functions|classes|documents|modules)\//);
  await expect.poll(() => page.locator('h1').first().textContent()).toMatch(new RegExp(words, 'i'));
  expect(errors).toEqual([]);
});

test('every page leads to the explorer, which opens beside them', async () => {
  for (const path of ['index.html', 'documents/docs_matrix.html', 'functions/convmat.conv2d.html']) {
    const { page, errors } = await open(`${server.origin}/site/${path}`);
    await page.locator('a.explorer-link').first().click();
    await page.waitForSelector('html[data-ready]', { state: 'attached' });
    expect(page.url()).toBe(`${server.origin}/site/explorer/index.html`);
    await page.click('nav >> text=Documentation');
    await expect.poll(() => page.url()).toBe(`${server.origin}/site/index.html`);
    expect(errors).toEqual([]);
  }
});

test('pages that the documents and the explorer link to are there', async () => {
  const documents = readdirSync(join(site, 'documents')).filter((name) => name.endsWith('.html'));
  const names = ['explorer/index.html', ...documents.map((name) => `documents/${name}`)];
  const { page } = await open(`${server.origin}/site/index.html`);
  const missing = await page.evaluate(async (paths) => {
    const broken: string[] = [];
    const asked = new Set<string>();
    for (const path of paths) {
      const address = new URL(path, location.href).href;
      const parsed = new DOMParser().parseFromString(await (await fetch(address)).text(), 'text/html');
      for (const link of parsed.querySelectorAll('.col-content a[href], header a[href], main a[href]')) {
        const target = new URL(link.getAttribute('href') ?? '', address);
        target.hash = '';
        if (target.origin !== location.origin || asked.has(target.href)) continue;
        asked.add(target.href);
        const { ok } = await fetch(target.href, { method: 'HEAD' });
        if (!ok) broken.push(`${path}: ${target.pathname}`);
      }
    }
    return broken;
  }, names);
  expect(missing).toEqual([]);
});
