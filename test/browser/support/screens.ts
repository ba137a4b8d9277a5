/** Pictures of canvases, compared with those that are kept in screens/: CONVMAT_RENEW=1 writes them, to be looked at. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { expect } from 'vitest';

const folder = join(import.meta.dirname, '../screens');
/** Of 255: what lines and washes may differ by where they are blended otherwise. */
const NEAR = 24;
/** The share of pixels that may differ by more: edges that fall between pixels. */
const FEW = 0.001;

/** Compares the drawing of a canvas, or a stretch of its rows: others have text, in the fonts of the machine. */
export async function expectScreen(
  page: Page,
  canvas: string,
  name: string,
  { top = 0, height }: { readonly top?: number; readonly height?: number } = {},
): Promise<void> {
  const address = await page.evaluate(
    ([selector, from, rows]) => {
      const drawn = document.querySelector<HTMLCanvasElement>(selector);
      if (drawn === null) throw new Error(`${selector} is not there`);
      const part = document.createElement('canvas');
      part.width = drawn.width;
      part.height = rows ?? drawn.height - from;
      part.getContext('2d')?.drawImage(drawn, 0, -from);
      return part.toDataURL('image/png');
    },
    [canvas, top, height] as const,
  );
  const bytes = Buffer.from(address.replace(/^.*,/, ''), 'base64');
  const path = join(folder, `${name}.png`);
  if (process.env.CONVMAT_RENEW !== undefined) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, bytes);
  }
  expect(existsSync(path), `${path} (CONVMAT_RENEW=1 makes it)`).toBe(true);
  const [actual, kept] = [PNG.sync.read(bytes), PNG.sync.read(readFileSync(path))];
  expect([actual.width, actual.height], name).toEqual([kept.width, kept.height]);
  let far = 0;
  for (let at = 0; at < kept.data.length; at += 4) {
    const differs = [0, 1, 2, 3].some((c) => Math.abs(actual.data[at + c] - kept.data[at + c]) > NEAR);
    if (differs) far += 1;
  }
  expect(far / (kept.width * kept.height), `${name}: the share of pixels that differ`).toBeLessThan(FEW);
}
