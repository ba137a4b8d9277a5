/** What is pointed at, in words: for the line under the pictures, and for readers of the screen. */
import { rowsJoining, weightAt, windowOf } from './lights.js';
import type { Lowering } from './lowering.js';
import type { Point } from './point.js';

/** Words in the colour of what they name. */
export interface Part {
  readonly text: string;
  readonly role?: 'read' | 'written' | 'tap';
}

/** Up to four significant digits, with a minus sign that is as wide as a plus. */
export function number(value: number): string {
  return String(Number(value.toPrecision(4))).replace('-', '−');
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

const times = (n: number): string => (n === 1 ? 'once' : n === 2 ? 'twice' : `${count(n)} times`);
const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;
const read = (text: string): Part => ({ text, role: 'read' });
const written = (text: string): Part => ({ text, role: 'written' });
const tap = (text: string): Part => ({ text, role: 'tap' });
const plain = (text: string): Part => ({ text });

/** (row, column) of an element, and its channel where there are several. */
function place(at: number, channels: number, height: number, width: number): string {
  const channel = Math.floor(at / (height * width));
  const [y, x] = [Math.floor(at / width) % height, at % width];
  return `(${y}, ${x})${channels > 1 ? ` of channel ${channel}` : ''}`;
}

const inputPlace = (at: number, { state }: Lowering): string =>
  place(at, state.ic, state.height, state.width);
const outputPlace = (at: number, { state, geometry }: Lowering): string =>
  place(at, state.oc, geometry.oh, geometry.ow);
const weightPlace = (at: number, { state }: Lowering): string => {
  const slices = (state.oc * state.ic) / state.groups;
  const slice = Math.floor(at / (state.kh * state.kw));
  const per = state.ic / state.groups;
  const where = place(at % (state.kh * state.kw), 1, state.kh, state.kw);
  return slices > 1
    ? `${where} from input channel ${slice % per} to output channel ${Math.floor(slice / per)}`
    : where;
};

const MOST_PRODUCTS = 12;

/** −1·3 + 2·5: the products whose weight is not zero, unless they are too many to read. */
function sum(at: number, lowering: Lowering): string {
  const { state, geometry, values } = lowering;
  const places = geometry.oh * geometry.ow;
  const per = (state.ic / state.groups) * state.kh * state.kw;
  const o = Math.floor(at / places);
  const products = windowOf(o, at % places, lowering)
    .map((f, t) => [state.weights[o * per + t], values.frame[f]] as const)
    .filter(([weight]) => weight !== 0);
  if (products.length === 0) return 'every weight is 0';
  if (products.length > MOST_PRODUCTS) return `the sum of ${plural(products.length, 'product')}`;
  return products
    .map(([weight, value], i) => {
      const sign = i === 0 ? (weight < 0 ? '−' : '') : weight < 0 ? ' − ' : ' + ';
      return `${sign}${number(Math.abs(weight))}·${number(value)}`;
    })
    .join('');
}

export function describe(point: Point, lowering: Lowering): readonly Part[] {
  switch (point.of) {
    case 'output':
      return ofOutput(point.at, lowering);
    case 'input':
      return ofInput(point.at, lowering);
    case 'weight':
      return ofWeight(point.at, lowering);
    case 'patch':
      return ofPatch(point.row, point.column, lowering);
    case 'entry':
      return ofEntry(point.row, point.column, lowering);
  }
}

function ofOutput(at: number, lowering: Lowering): Part[] {
  const { geometry, values } = lowering;
  const places = geometry.oh * geometry.ow;
  const entries = geometry.csr.indptr[at + 1] - geometry.csr.indptr[at];
  return [
    written(`Output ${outputPlace(at, lowering)} = ${number(values.output[at])}`),
    plain(` = ${sum(at, lowering)}. `),
    read('Its window'),
    plain(` is column ${at % places} of im2col, and row ${at} of the Toeplitz matrix, which has `),
    tap(plural(entries, 'entry', 'entries')),
    plain('.'),
  ];
}

function ofInput(at: number, lowering: Lowering): Part[] {
  const { geometry, state } = lowering;
  let reads = 0;
  for (const f of geometry.reads) if (geometry.sources[f] === at) reads += 1;
  let entries = 0;
  for (const column of geometry.csr.indices) if (column === at) entries += 1;
  return [
    read(`Pixel ${inputPlace(at, lowering)} = ${number(state.pixels[at])}`),
    plain(` is copied ${times(reads)} into im2col. It is column ${at} of the Toeplitz matrix, whose `),
    tap(plural(entries, 'entry', 'entries')),
    plain(entries === 1 ? ' leads to ' : ' lead to '),
    written('the outputs that read it'),
    plain('.'),
  ];
}

function ofWeight(at: number, lowering: Lowering): Part[] {
  const { geometry, state } = lowering;
  const places = geometry.oh * geometry.ow;
  const per = (state.ic / state.groups) * state.kh * state.kw;
  const o = Math.floor(at / per);
  const row =
    (Math.floor((o * state.groups) / state.oc) * state.ic * state.kh * state.kw) / state.groups + (at % per);
  let inside = 0;
  for (let l = 0; l < places; l++) if (geometry.sources[geometry.reads[row * places + l]] >= 0) inside += 1;
  const value = state.weights[at];
  return [
    tap(`Tap ${weightPlace(at, lowering)} = ${number(value)}`),
    plain(' multiplies '),
    read(`row ${row} of im2col`),
    plain(
      value === 0
        ? '. A weight of 0 has no entries in the Toeplitz matrix.'
        : `, once for each output. In the Toeplitz matrix it stands ${times(inside)}, along a diagonal.`,
    ),
  ];
}

function ofPatch(row: number, column: number, lowering: Lowering): Part[] {
  const { geometry, state, values } = lowering;
  const places = geometry.oh * geometry.ow;
  const f = geometry.reads[row * places + column];
  const source = geometry.sources[f];
  const where = place(row % (state.kh * state.kw), 1, state.kh, state.kw);
  const what =
    source < 0
      ? 'padding, which is 0'
      : `${isInside(f, lowering) ? '' : 'padding, which repeats '}pixel ${inputPlace(source, lowering)}`;
  return [
    plain(`im2col (${row}, ${column}) = ${number(values.columns[row * places + column])}: `),
    read(what),
    plain(', under '),
    tap(`tap ${where}`),
    plain(', for '),
    written(`output ${place(column, 1, geometry.oh, geometry.ow)}`),
    plain('.'),
  ];
}

/** Whether an element of the padded image is of the image itself. */
export function isInside(f: number, { state, geometry }: Lowering): boolean {
  const [y, x] = [Math.floor(f / geometry.fw) % geometry.fh, f % geometry.fw];
  const { padding, height, width } = state;
  return y >= padding && y < padding + height && x >= padding && x < padding + width;
}

function ofEntry(row: number, column: number, lowering: Lowering): Part[] {
  const { geometry, state } = lowering;
  const places = geometry.oh * geometry.ow;
  const joining = rowsJoining(row, column, lowering);
  const start = [
    plain(`Toeplitz (${row}, ${column}) = ${number(geometry.matrix.at(row, column))}: `),
    written(`output ${outputPlace(row, lowering)}`),
  ];
  const pixel = read(`pixel ${inputPlace(column, lowering)}`);
  if (joining.length === 0) return [...start, plain(' does not read '), pixel, plain('.')];
  const o = Math.floor(row / places);
  const taps = joining.map((r) => weightPlace(weightAt(o, r, state), lowering)).join(' and ');
  return [
    ...start,
    plain(' reads '),
    pixel,
    plain(' through '),
    tap(`${joining.length === 1 ? 'tap' : 'taps'} ${taps}`),
    plain(joining.length === 1 ? '.' : ', whose weights are added up here.'),
  ];
}
