/** One Chromium for the tests of a file: Debian's, or the one that CHROMIUM names. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** No sandbox, which root has none of; nothing that looks for updates or anything else in the network. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface OpenedPage {
  readonly page: Page;
  /** What went wrong in it: exceptions that nobody caught, and what it logged as errors. */
  readonly errors: readonly string[];
}

/** @returns opens a page, which is closed after the test. */
export function useChromium(): (address: string, options?: BrowserContextOptions) => Promise<OpenedPage> {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (!existsSync(EXECUTABLE))
      throw new Error(`${EXECUTABLE} is not there: apt-get install chromium, or set CHROMIUM`);
    browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
  });
  afterEach(async () => {
    for (const context of browser?.contexts() ?? []) await context.close();
  });
  afterAll(() => browser?.close());
  return async (address, options) => {
    if (browser === undefined) throw new Error('pages are opened in tests alone');
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    await page.goto(address);
    return { page, errors };
  };
}
