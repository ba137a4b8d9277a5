/**
 * How long a page waits for its first result after the script has arrived: reading, compiling and choosing a backend are in
 * it. Each load is in a context of its own, without caches.
 *
 *   npm run bench:page [-- LOADS]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { rolldown } from 'rolldown';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..');
const LOADS = Number(process.argv[2] ?? 20);
const folder = mkdtempSync(join(tmpdir(), 'convmat-page-'));

async function bundled() {
  const build = await rolldown({
    input: join(here, 'page/first.mjs'),
    cwd: root,
    platform: 'browser',
    resolve: { conditionNames: ['browser', 'import'], alias: { convmat: join(root, 'dist/index.js') } },
    treeshake: { moduleSideEffects: [{ test: /[\\/]bench[\\/]/, sideEffects: true }] },
  });
  await build.write({ dir: folder, entryFileNames: 'first.js', format: 'es', minify: true });
  await build.close();
  return readFileSync(join(folder, 'first.js'));
}

/** Milliseconds from the script's last byte to the result. */
async function load(browser, origin, backend) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    if (backend !== undefined)
      await page.addInitScript((name) => Object.assign(globalThis, { CONVMAT_BACKEND: name }), backend);
    await page.goto(origin);
    await page.waitForFunction(() => 'first' in globalThis);
    return await page.evaluate(() => {
      const [script] = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'));
      return { ms: globalThis.first.there - script.responseEnd, backend: globalThis.first.backend };
    });
  } finally {
    await context.close();
  }
}

const script = await bundled();
const server = createServer(({ url }, response) => {
  const isScript = url === '/first.js';
  response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
  response.end(isScript ? script : '<script type="module" src="first.js"></script>');
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  console.log(`script: ${script.length} bytes, ${brotliCompressSync(script).length} with brotli`);
  for (const backend of [undefined, 'js']) {
    const loads = [];
    for (let i = 0; i < LOADS; i++)
      loads.push(await load(browser, `http://127.0.0.1:${server.address().port}/`, backend));
    const times = loads.map(({ ms }) => ms).sort((a, b) => a - b);
    const [least, median] = [times[0], times[times.length >> 1]].map((ms) => ms.toFixed(1));
    console.log(
      `${loads[0].backend}: first result after ${least} ms at best, ${median} ms in the middle of ${LOADS}`,
    );
  }
} finally {
  await browser.close();
  server.close();
  rmSync(folder, { recursive: true });
}
