/** The page that shows convolutions as matrices: what it shows is what the library computes, by mouse, keys and files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { conv2d, convMatrix, explainConv, image, tensor, unfold } from 'convmat';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildExplorer } from '../../docs/site/explorer/build.mjs';
import { golden } from '../support/golden';
import { useChromium } from './support/chromium';
import { expectScreen } from './support/screens';
import { type Server, serve } from './support/server';

const folder = mkdtempSync(join(tmpdir(), 'convmat-explorer-'));
let server: Server;
beforeAll(async () => {
  await buildExplorer(folder);
  server = await serve({ explorer: folder });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const open = useChromium();

async function explorer(link = '', options: BrowserContextOptions = {}) {
  const opened = await open(`${server.origin}/explorer/index.html#${link}`, {
    viewport: { width: 1280, height: 1400 },
    ...options,
  });
  await opened.page.waitForSelector('html[data-ready]', { state: 'attached' });
  return opened;
}

const textOf = async (page: Page, selector: string) => (await page.locator(selector).textContent()) ?? '';

/** Waits until the line under the pictures reads so. */
async function expectCaption(page: Page, text: RegExp): Promise<void> {
  await expect.poll(() => textOf(page, '#caption')).toMatch(text);
}

/** The ring that the page opens with, as its caption and its link have it. */
const RING = [
  [0, 0, 2, 3, 2, 0, 0],
  [0, 4, 9, 7, 9, 4, 0],
  [2, 9, 2, 0, 2, 9, 2],
  [3, 7, 0, 0, 0, 7, 3],
  [2, 9, 2, 0, 2, 9, 2],
  [0, 4, 9, 7, 9, 4, 0],
  [0, 0, 2, 3, 2, 0, 0],
];
const ring = tensor(RING).reshape([1, 1, 7, 7]);
const sobel = image.sobel('x').reshape([1, 1, 3, 3]);

/** The middle of a cell of a board whose cells are so large, from its left upper corner. */
const cell = (column: number, row: number, size: number, top = 1) => ({
  x: 1 + (column + 0.5) * size,
  y: top + (row + 0.5) * size,
});

describe('what is pointed at', () => {
  test('an output lights its window, its column of im2col and its row of the Toeplitz matrix', async () => {
    const { page, errors } = await explorer();
    const expected = conv2d(ring, sobel);
    await page.hover('#output', { position: cell(3, 1, 34) });
    await expectCaption(page, new RegExp(`^Output \\(1, 3\\) = ${expected.data[5 + 3]} = `));
    await expectCaption(page, /column 8 of im2col, and row 8 of the Toeplitz matrix, which has 6 entries/);
    await page.mouse.move(0, 0);
    await expectCaption(page, /^Point at/);
    expect(errors).toEqual([]);
  });

  test.each(['light', 'dark'] as const)('as it looks, %s', async (colorScheme) => {
    // Cells too small for numbers, since fonts differ between machines.
    const { page } = await explorer('size=20x20', { colorScheme });
    await page.hover('#output', { position: cell(4, 6, 13) });
    await expectCaption(page, /^Output \(6, 4\)/);
    await expectScreen(page, '#image', `image-${colorScheme}`);
    await expectScreen(page, '#output', `output-${colorScheme}`);
    // Between the titles of im2col, and below those of the Toeplitz matrix.
    await expectScreen(page, '#matrix', `im2col-${colorScheme}`, { top: 20, height: 126 });
    await page.click('text=Toeplitz + SpMV');
    await page.hover('#output', { position: cell(4, 6, 13) });
    await expectCaption(page, /^Output \(6, 4\)/);
    await expectScreen(page, '#matrix', `toeplitz-${colorScheme}`, { top: 62 });
  });

  test('an entry of im2col, a weight, an entry of the Toeplitz matrix, and what is no entry', async () => {
    const { page } = await explorer();
    const columns = unfold(ring.reshape([1, 7, 7]), [3, 3]);
    const box = await page.locator('#matrix').boundingBox();
    expect(box).not.toBeNull();
    // The matrix ends at the right edge of its canvas: 25 columns.
    await page.hover('#matrix', { position: { x: (box?.width ?? 0) - 1 - 0.5 * 28, y: 20 + 0.5 * 28 } });
    await expectCaption(page, new RegExp(`^im2col \\(0, 24\\) = ${columns.data[24]}: pixel \\(4, 4\\)`));
    await page.hover('#kernel input >> nth=3');
    await expectCaption(page, /^Tap \(1, 0\) = −2 multiplies row 3 of im2col/);
    await page.click('text=Toeplitz + SpMV');
    const B = convMatrix(sobel, { inputShape: [1, 7, 7] });
    await page.hover('#matrix', { position: cell(7, 0, 19, 62) });
    await expectCaption(
      page,
      new RegExp(
        `^Toeplitz \\(0, 7\\) = −${-B.at(0, 7)}: output \\(0, 0\\) reads pixel \\(1, 0\\) through tap`,
      ),
    );
    await page.hover('#matrix', { position: cell(20, 0, 19, 62) });
    await expectCaption(page, /^Toeplitz \(0, 20\) = 0: output \(0, 0\) does not read pixel \(2, 6\)/);
  });

  test('padding that repeats pixels joins one entry by several taps', async () => {
    const { page } = await explorer('padding=1&mode=replicate&way=toeplitz&kernel=counting&at=entry.0.0');
    await expectCaption(page, /= 12: output \(0, 0\) reads pixel \(0, 0\) through taps .* added up here/);
    await page.hover('#image', { position: cell(0, 0, 27) });
    await expectCaption(page, /^Pixel \(0, 0\) = 0 is copied 9 times into im2col/);
  });
});

describe('by keys', () => {
  test('everything is reached in the order in which it stands, and has a name', async () => {
    const { page } = await explorer();
    const order: string[] = [];
    for (let i = 0; i < 100 && order.at(-1) !== 'network-sample'; i++) {
      await page.keyboard.press('Tab');
      order.push(
        await page.evaluate(() => document.activeElement?.id || document.activeElement?.className || ''),
      );
    }
    const expected = [
      'skip',
      'copy-link',
      'theme',
      'control-image',
      'control-height',
      'brush',
      'image',
      'output',
      'way-im2col',
      'matrix',
      'picture-kernel',
      'picture-file',
      'picture-use',
      'network-file',
      'network-sample',
    ];
    expect(order.filter((id) => expected.includes(id))).toEqual(expected);
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const nameless = nodes.filter(
      ({ ignored, role, name }) =>
        !ignored &&
        /^(button|spinbutton|combobox|slider|radio|application|link|image)$/.test(role?.value) &&
        !name?.value,
    );
    expect(nameless.map(({ role }) => role?.value)).toEqual([]);
  });

  test('a board is walked, told in words, kept and let go', async () => {
    const { page } = await explorer();
    await page.locator('#theme').focus();
    await page.locator('#output').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Shift+Tab');
    await expectCaption(page, /^Output \(0, 0\)/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    await expectCaption(page, /^Output \(1, 4\) = −6/);
    expect(await textOf(page, '#spoken')).toMatch(/^Output \(1, 4\) = −6/);
    await page.keyboard.press('Enter');
    await page.locator('#theme').focus();
    await expectCaption(page, /^Output \(1, 4\)/);
    await expect.poll(() => page.url()).toMatch(/#at=output\.9$/);
    await page.keyboard.press('Escape');
    await expectCaption(page, /^Point at/);
  });

  test('digits draw', async () => {
    const { page } = await explorer();
    await page.locator('#image').click({ position: cell(0, 0, 34) });
    await page.keyboard.press('5');
    await page.keyboard.press('+');
    expect(await textOf(page, '#spoken')).toMatch(/^Pixel \(0, 0\) = 6/);
    const drawn = tensor(RING.map((row, y) => row.map((value, x) => (x + y === 0 ? 6 : value))));
    const expected = conv2d(drawn.reshape([1, 1, 7, 7]), sobel).data[0];
    await page.hover('#output', { position: cell(0, 0, 34) });
    await expectCaption(page, new RegExp(`^Output \\(0, 0\\) = ${expected}`));
  });
});

describe('what is changed', () => {
  test('a stroke of the brush, and a weight', async () => {
    const { page } = await explorer('image=empty');
    await page.locator('#image').hover({ position: cell(1, 3, 34) });
    await page.mouse.down();
    await page.locator('#image').hover({ position: cell(5, 3, 34) });
    await page.mouse.up();
    await expectCaption(page, /^Pixel \(3, 5\) = 9/);
    await page.fill('#kernel input >> nth=4', '0.5');
    await page.hover('#output', { position: cell(4, 2, 34) });
    // 2·0 − 2·(the pixel before, which a fast stroke may pass over) + 0.5·9.
    await expectCaption(page, /^Output \(2, 4\) = (−13\.5|4\.5)/);
    expect(await page.inputValue('#control-kernel')).toBe('own');
    expect(await page.inputValue('#control-image')).toBe('own');
  });

  test('sizes, stride, dilation, padding, channels and groups, as explainConv counts them', async () => {
    const { page } = await explorer();
    await page.fill('#control-ic', '2');
    await page.fill('#control-oc', '2');
    await page.selectOption('#control-groups', '2');
    await page.fill('#control-height', '12');
    await page.fill('#control-stride', '2');
    await page.fill('#control-dilation', '2');
    await page.fill('#control-padding', '1');
    await page.selectOption('#control-paddingMode', 'circular');
    const options = { stride: 2, dilation: 2, padding: 1, groups: 2, paddingMode: 'circular' } as const;
    const weight = tensor([[sobel.toNested(4)[0][0]], [sobel.toNested(4)[0][0]]]);
    const { costs, outputShape } = explainConv([1, 2, 12, 7], weight, options);
    await expect.poll(() => textOf(page, '#output-size')).toBe(outputShape.slice(1).join(' × '));
    const counted = async (label: string) => {
      const rows = await page
        .locator('#costs tr')
        .evaluateAll((all) =>
          all.map(({ children }) => Array.from(children, ({ textContent }) => textContent)),
        );
      return rows.find(([name]) => name?.startsWith(label))?.slice(1, 3);
    };
    for (const [label, algorithm] of [
      ['im2col', 'im2col'],
      ['Toeplitz', 'toeplitz'],
      ['the same matrix', 'dense-toeplitz'],
    ]) {
      const cost = costs.find((one) => one.algorithm === algorithm);
      // The size is right before the last option is in: it does not change it.
      await expect
        .poll(() => counted(label), { message: label })
        .toEqual([cost?.multiplications, cost?.additions].map((n) => n?.toLocaleString('en-US')));
    }
    await page.click('text=Toeplitz + SpMV');
    await expect.poll(() => textOf(page, '#program')).toContain("paddingMode: 'circular', groups: 2 }");
  });

  test('what does not fit is refused in the library’s words, and what fitted stays', async () => {
    const { page, errors } = await explorer();
    await page.fill('#control-kh', '5');
    await page.fill('#control-dilation', '3');
    await expect
      .poll(() => page.locator('[role=alert]:visible').allTextContents())
      .toEqual([expect.stringMatching(/^ShapeError: .*kernel/)]);
    // Its weights are those of the kernel that was asked for, and the image is no longer drawn on.
    expect(await page.locator('#kernel input').count()).toBe(15);
    await page.fill('#kernel input >> nth=14', '7');
    await page.locator('#image').click({ position: cell(0, 0, 34) });
    await page.fill('#control-dilation', '1');
    await expect.poll(() => page.locator('[role=alert]:visible').count()).toBe(0);
    await page.hover('#output', { position: cell(4, 2, 34) });
    await expectCaption(page, /^Output \(2, 4\) = 6 = .* \+ 7·0\./);
    expect(await page.inputValue('#control-image')).toBe('ring');
    expect(errors).toEqual([]);
  });

  test('a link keeps it all', async () => {
    const link =
      'size=5x6&channels=2x1&pixels=' +
      'B7'.repeat(20) +
      '&weights=1+2+3+4+5+6+7+8&taps=2x2&stride=2&padding=1&mode=reflect&way=toeplitz&at=output.3';
    const { page } = await explorer(link);
    await expectCaption(page, /^Output \(0, 3\)/);
    expect(await page.inputValue('#control-stride')).toBe('2');
    await page.fill('#control-padding', '0');
    await page.fill('#control-padding', '1');
    // What is changed lets go of what was kept lit.
    await expect.poll(() => page.url()).toMatch(/padding=1&mode=reflect&way=toeplitz$/);
    const address = page.url();
    await page.goto('about:blank');
    await page.goto(address);
    await page.waitForSelector('html[data-ready]', { state: 'attached' });
    const fields = [
      'height',
      'width',
      'ic',
      'oc',
      'kh',
      'kw',
      'stride',
      'padding',
      'paddingMode',
      'image',
      'kernel',
    ];
    const values = await Promise.all(fields.map((name) => page.inputValue(`#control-${name}`)));
    expect(values).toEqual(['5', '6', '2', '1', '2', '2', '2', '1', 'reflect', 'own', 'own']);
    expect(
      await page
        .locator('#kernel input')
        .evaluateAll((all) => all.map((one) => (one as HTMLInputElement).value)),
    ).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    const damaged =
      'size=5x6x7&channels=-1&pixels=!!&weights=1+x&taps=99x0&stride=-3&mode=none&way=neither&at=entry.1';
    const { page: other, errors } = await explorer(damaged);
    expect(await other.inputValue('#control-height')).toBe('7');
    expect(errors).toEqual([]);
  });

  test('dark and light: the system’s, or the reader’s', async () => {
    const { page } = await explorer('', { colorScheme: 'dark' });
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.selectOption('#theme', 'light');
    expect(await background()).not.toBe(dark);
    await page.reload();
    expect(await page.inputValue('#theme')).toBe('light');
    expect(await background()).not.toBe(dark);
  });

  test('from a disk, without a server', async () => {
    const { page, errors } = await open(pathToFileURL(join(folder, 'index.html')).href);
    await page.hover('#output', { position: cell(0, 0, 30) });
    await expectCaption(page, /^Output \(0, 0\) = 20/);
    expect(errors).toEqual([]);
  });

  test('a narrow screen shows all of it', async () => {
    const { page } = await explorer('size=64x64&channels=3x3', { viewport: { width: 390, height: 844 } });
    const [inside, all] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
    expect(all).toBe(inside);
  });
});

/** Drops a file on the page, as the hand does. */
async function drop(page: Page, name: string, type: string, bytes: Uint8Array): Promise<void> {
  const transfer = await page.evaluateHandle(
    ([fileName, fileType, content]) => {
      const made = new DataTransfer();
      const data = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
      made.items.add(new File([data], fileName, { type: fileType }));
      return made;
    },
    [name, type, Buffer.from(bytes).toString('base64')] as const,
  );
  for (const event of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent('body', event, { dataTransfer: transfer });
}

describe('files of one’s own', () => {
  test('a picture is filtered at once, by the kernel and by others', async () => {
    const { page, errors } = await explorer();
    const png = new PNG({ width: 20, height: 10 });
    for (let i = 0; i < png.data.length; i++) png.data[i] = i % 4 === 3 ? 255 : (i * 37) % 256;
    await drop(page, 'own.png', 'image/png', PNG.sync.write(png));
    await expect.poll(() => textOf(page, '#picture-note')).toMatch(/^own\.png, 20 × 10: 3 × 3 taps/);
    await page.selectOption('#picture-kernel', 'box');
    await expect.poll(() => textOf(page, '#picture-note')).toMatch(/7 × 7 taps/);
    const planes = image.fromPixels(
      { data: new Uint8Array(png.data), width: 20, height: 10 },
      { channels: 'rgb' },
    );
    const box = tensor(new Float32Array(3 * 49).fill(1 / 49), [3, 1, 7, 7]);
    const options = { padding: 'same', paddingMode: 'replicate', groups: 3 } as const;
    const filtered = conv2d(planes.reshape([1, 3, 10, 20]), box, options).reshape([3, 10, 20]);
    const expected = image.toPixels(filtered).data;
    const shown = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('#picture-after');
      return [...(canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [])];
    });
    const colours = shown.filter((_, i) => i % 4 !== 3);
    expect(colours.length).toBe(expected.length);
    // Halves may be rounded to either side by the way over 1/255.
    expect(Math.max(...colours.map((value, i) => Math.abs(value - expected[i])))).toBeLessThanOrEqual(1);
    await page.click('#picture-use');
    await expect.poll(() => page.inputValue('#control-image')).toBe('own');
    expect(errors).toEqual([]);
  });

  test('an ONNX network: its layers, sizes and matrices, and a layer of it above', async () => {
    const { page, errors } = await explorer();
    const one = golden('torch_onnx').cases.find(({ id }) => id === 'residual at opset 17');
    await drop(page, 'residual.onnx', '', Uint8Array.from(one?.tensors.model.data ?? []));
    await expect.poll(() => textOf(page, '#network-title')).toMatch(/^residual\.onnx: 14 nodes/);
    expect(await page.locator('#network-layers tr').count()).toBe(14);
    await expect.poll(() => textOf(page, '#network-caption')).toMatch(/Conv_output_0: 2,048 × 3,072/);
    expect(await page.locator('#network-matrix').isVisible()).toBe(true);
    await page.hover('#network-matrix', { position: { x: 1.5, y: 1.5 } });
    await expect.poll(() => textOf(page, '#network-entry')).toMatch(/^\(\d+, \d+\) = /);
    await page.locator('#network-inputs input').last().fill('16');
    await page.locator('#network-inputs input').last().press('Tab');
    await expect.poll(() => textOf(page, '#network-caption')).toMatch(/1,024 × 1,536/);
    await page.click('#network-layers button >> nth=0');
    await expect.poll(() => textOf(page, '#kernel-size')).toBe('3 × 3 × 3 × 3');
    expect(await page.inputValue('#control-stride')).toBe('2');
    expect(errors).toEqual([]);
  });

  test('what is neither, and what is damaged, is told', async () => {
    const { page, errors } = await explorer();
    await drop(page, 'notes.txt', 'text/plain', Uint8Array.of(1));
    await expect.poll(() => textOf(page, '#file-refusal')).toMatch(/^notes\.txt: expected a picture/);
    await drop(page, 'damaged.onnx', '', Uint8Array.of(1, 2, 3));
    await expect.poll(() => textOf(page, '#file-refusal')).toMatch(/^damaged\.onnx: /);
    await drop(page, 'damaged.png', 'image/png', Uint8Array.of(1, 2, 3));
    await expect.poll(() => textOf(page, '#file-refusal')).toMatch(/^damaged\.png: /);
    expect(errors).toEqual([]);
  });
});
