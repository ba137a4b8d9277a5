/** The page: its state, its views, and what passes between them. */
import { backendInfo } from 'convmat';
import { readColours } from './colours.js';
import { setUpDrop } from './drop.js';
import { byId, make, oncePerFrame } from './elements.js';
import { DARK, isThere, lightsOf } from './lights.js';
import { fromLink, toLink } from './link.js';
import { isRefusal, type Lowering, lower } from './lowering.js';
import { type Point, samePoint } from './point.js';
import { cropKernel } from './presets.js';
import { clamp, MOST_GREY, type State, Store, WAYS } from './state.js';
import { setUpTheme } from './theme.js';
import { Board, type BoardEvents, type Place } from './views/board.js';
import { setUpControls } from './views/controls.js';
import { programOf, showCosts } from './views/costs.js';
import { setUpKernel } from './views/kernel.js';
import { MatrixView } from './views/matrix.js';
import { setUpNetwork } from './views/network.js';
import { setUpPicture } from './views/picture.js';
import { lightImage, lightOutput, showImage, showOutput } from './views/planes.js';
import { describe, type Part } from './words.js';

const HINT =
  'Point at a pixel, a weight, an output or an entry of the matrix: what it is joined to lights up.';

const store = new Store(fromLink(location.hash));
let colours = readColours();
let lowering: Lowering | undefined;
let hovered: Point | undefined;

// ───────────────────────────── words ─────────────────────────────

const spoken = byId('spoken', HTMLElement);
const caption = byId('caption', HTMLElement);
const refusal = byId('refusal', HTMLElement);

function say(text: string): void {
  spoken.textContent = text;
}

function showWords(parts: readonly Part[]): void {
  caption.replaceChildren(
    ...parts.map(({ text, role }) => (role === undefined ? text : make('span', { class: role }, text))),
  );
}

// ───────────────────────────── pointing ─────────────────────────────

function point(at: Point | undefined, by: 'pointer' | 'keys'): void {
  if (samePoint(at, hovered)) return;
  hovered = at;
  lightSoon();
  // Who moves by keys may not see what lights up.
  if (by === 'keys' && at !== undefined && lowering !== undefined) say(wordsFor(at, lowering));
}

function wordsFor(at: Point, current: Lowering): string {
  return describe(at, current)
    .map(({ text }) => text)
    .join('');
}

/** Keeps what is pressed lit, or lets it go. */
function pin(at: Point): void {
  store.change({ pin: samePoint(at, store.state.pin) ? undefined : at });
}

/** Pointing and pressing on a board, whose places mean points. */
function pointing(pointOf: (place: Place) => Point | undefined): BoardEvents {
  return {
    point: (place, by) => point(place && pointOf(place), by),
    press: (place) => {
      const at = pointOf(place);
      if (at !== undefined) pin(at);
    },
  };
}

/** Whether what is shown is what is asked for, and not the last that could be computed. */
function fits(): boolean {
  return refusal.hidden === true;
}

/** The pixel under a cell of the padded image; undefined where padding is 0. */
function pixelAt({ block, row, column }: Place): (Point & { of: 'input' }) | undefined {
  if (lowering === undefined || !fits()) return undefined;
  const { fh, fw, sources } = lowering.geometry;
  const at = sources[(Number(block) * fh + row) * fw + column];
  return at < 0 ? undefined : { of: 'input', at };
}

function outputAt({ block, row, column }: Place): Point | undefined {
  if (lowering === undefined) return undefined;
  const { oh, ow } = lowering.geometry;
  return { of: 'output', at: (Number(block) * oh + row) * ow + column };
}

// ───────────────────────────── drawing ─────────────────────────────

const brush = byId('brush', HTMLInputElement);
const GREYS = { least: 0, most: MOST_GREY };

function paint(at: number, grey: number): void {
  if (store.state.pixels[at] === grey) return;
  const pixels = store.state.pixels.slice();
  pixels[at] = grey;
  store.change({ pixels, image: 'own' });
}

/** The grey that a key gives a pixel: a digit is one, + and − are the next. */
function greyOf(key: string, grey: number): number | undefined {
  if (/^\d$/.test(key)) return Number(key);
  return key === '+' ? clamp(grey + 1, GREYS) : key === '-' ? clamp(grey - 1, GREYS) : undefined;
}

const image = new Board(byId('image', HTMLCanvasElement), colours, {
  ...pointing(pixelAt),
  stroke(place) {
    const pixel = pixelAt(place);
    if (pixel === undefined) return false;
    paint(pixel.at, clamp(brush.valueAsNumber, GREYS));
    return true;
  },
  key(place, key) {
    const pixel = pixelAt(place);
    const grey = pixel && greyOf(key, store.state.pixels[pixel.at]);
    if (pixel === undefined || grey === undefined) return false;
    paint(pixel.at, grey);
    update();
    if (lowering !== undefined) say(wordsFor(pixel, lowering));
    return true;
  },
});
image.canvas.setAttribute('aria-describedby', 'keys image-keys');
const output = new Board(byId('output', HTMLCanvasElement), colours, pointing(outputAt));
const matrix = new MatrixView(colours, pointing);
const kernel = setUpKernel(byId('kernel', HTMLElement), store, point);

// ───────────────────────────── showing ─────────────────────────────

/** The width that planes have: half of what the kernel between them leaves, or, on a narrow screen, the whole. */
function roomForPlanes(): number {
  const equation = byId('equation', HTMLElement);
  const all = byId('stage', HTMLElement).clientWidth;
  const isRow = getComputedStyle(equation).gridTemplateColumns.split(' ').length > 1;
  if (!isRow) return all;
  const gaps = 4 * Number.parseFloat(getComputedStyle(equation).columnGap) + OPERATORS_WIDTH;
  return Math.max(LEAST_PLANES, (all - byId('kernel-figure', HTMLElement).offsetWidth - gaps) / 2);
}

const OPERATORS_WIDTH = 48;
const LEAST_PLANES = 120;

function showAll(current: Lowering): void {
  const { state, geometry } = current;
  const room = roomForPlanes();
  showImage(image, current, room, colours);
  showOutput(output, current, room, colours);
  matrix.show(current, byId('matrix-figure', HTMLElement).clientWidth, colours);
  showCosts(byId('costs', HTMLElement), byId('costs-note', HTMLElement), geometry.explanation, state.way);
  byId('program', HTMLElement).textContent = programOf(current);
  byId('image-size', HTMLElement).textContent = sizes(state.ic, state.height, state.width);
  byId('kernel-size', HTMLElement).textContent = sizes(state.oc, state.ic / state.groups, state.kh, state.kw);
  byId('output-size', HTMLElement).textContent = sizes(state.oc, geometry.oh, geometry.ow);
  for (const way of WAYS) {
    byId(`way-${way}`, HTMLInputElement).checked = state.way === way;
    byId(`about-${way}`, HTMLElement).hidden = state.way !== way;
  }
}

const sizes = (...all: number[]): string => all.join(' × ');

function light(): void {
  if (lowering === undefined) return;
  const asked = hovered ?? store.state.pin;
  const at = asked !== undefined && isThere(asked, lowering) ? asked : undefined;
  const lights = lightsOf(at, lowering);
  showWords(at === undefined ? [{ text: HINT }] : describe(at, lowering));
  lightImage(image, lights, lowering);
  lightOutput(output, lights, lowering);
  kernel.light(fits() ? lights : DARK);
  matrix.light(lights);
}

const lightSoon = oncePerFrame(light);

/** A convolution that does not fit is refused by convmat itself; the last one that did stays. */
function update(): void {
  kernel.show(store.state, colours);
  try {
    lowering = lower(store.state, lowering);
    refusal.hidden = true;
    showAll(lowering);
    light();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    refusal.textContent = `${error.name}: ${error.message}`;
    refusal.hidden = false;
    light();
  }
}

const updateSoon = oncePerFrame(update);

function redraw(): void {
  colours = readColours();
  kernel.show(store.state, colours);
  if (lowering !== undefined) showAll(lowering);
  network.recolour();
  light();
}

// ───────────────────────────── the link ─────────────────────────────

const LINK_DELAY_MS = 250;
let linkTimer: ReturnType<typeof setTimeout> | undefined;

/** Browsers refuse a page that changes its address for every pixel of a stroke. */
function keepLink(state: State): void {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    const link = toLink(state);
    history.replaceState(null, '', link === '' ? location.pathname + location.search : `#${link}`);
  }, LINK_DELAY_MS);
}

byId('copy-link', HTMLButtonElement).addEventListener('click', async () => {
  const link = toLink(store.state);
  const address = `${location.href.replace(/#.*$/, '')}${link === '' ? '' : `#${link}`}`;
  try {
    await navigator.clipboard.writeText(address);
    say('The link is copied.');
    byId('copy-link', HTMLButtonElement).textContent = 'Copied';
    setTimeout(() => {
      byId('copy-link', HTMLButtonElement).textContent = 'Copy link';
    }, 1500);
  } catch {
    history.replaceState(null, '', address);
    say('The link is in the address bar.');
  }
});

window.addEventListener('hashchange', () => store.change(fromLink(location.hash)));

// ───────────────────────────── the rest of the page ─────────────────────────────

for (const way of WAYS)
  byId(`way-${way}`, HTMLInputElement).addEventListener('change', () => store.change({ way }));
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape' && store.state.pin !== undefined) store.change({ pin: undefined });
});

const picture = setUpPicture(store, say);
const network = setUpNetwork(
  () => colours,
  say,
  ({ weight, ...geometry }, name) => {
    const { paddingMode, image: drawn } = store.state;
    store.change({ ...cropKernel(weight, drawn), ...geometry, paddingMode, pin: undefined });
    say(`The first kernels of ${name} are shown above.`);
    byId('convolution', HTMLElement).scrollIntoView({ block: 'start' });
  },
);

function failing(what: string, work: Promise<void>): void {
  work.catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    say(`${what} could not be read: ${reason}`);
    byId('file-refusal', HTMLElement).textContent = `${what}: ${reason}`;
    byId('file-refusal', HTMLElement).hidden = false;
  });
}

setUpDrop(
  byId('veil', HTMLElement),
  [byId('picture-file', HTMLInputElement), byId('network-file', HTMLInputElement)],
  {
    picture: (file) => {
      byId('file-refusal', HTMLElement).hidden = true;
      failing(file.name, picture.take(file));
      byId('picture', HTMLElement).scrollIntoView({ block: 'nearest' });
    },
    network: (file) => {
      byId('file-refusal', HTMLElement).hidden = true;
      failing(file.name, network.take(file));
      byId('network', HTMLElement).scrollIntoView({ block: 'nearest' });
    },
    other: (file) =>
      failing(file.name, Promise.reject(new Error('expected a picture, or a network that ends in .onnx'))),
  },
);

const { isa, fallbackReason, version } = backendInfo();
byId('backend', HTMLElement).textContent = `convmat ${version}, ${isa}`;
byId('backend', HTMLElement).title = fallbackReason ?? '';

setUpTheme(byId('theme', HTMLSelectElement), redraw);
setUpControls(store);
store.listen((state) => {
  updateSoon();
  keepLink(state);
});
// What is drawn follows the width alone: its height follows from what is drawn.
let drawnWidth = byId('stage', HTMLElement).clientWidth;
const resized = oncePerFrame(() => {
  const { clientWidth } = byId('stage', HTMLElement);
  if (clientWidth === drawnWidth) return;
  drawnWidth = clientWidth;
  redraw();
});
new ResizeObserver(resized).observe(byId('stage', HTMLElement));
update();
document.documentElement.dataset['ready'] = '';
