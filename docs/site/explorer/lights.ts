/** What lights up in each view when the reader points at something: everything that it is joined to. */
import type { Lowering } from './lowering.js';
import type { Point } from './point.js';
import type { State } from './state.js';

/** Cells and lines of a matrix. */
export interface MatrixLights {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** row·columns + column. */
  readonly cells: readonly number[];
}

export interface Lights {
  /** Elements of the padded image that are read, [ic, fh, fw]. */
  readonly window: readonly number[];
  /** Those of them that are pointed at. */
  readonly pixels: readonly number[];
  /** Input elements: those of `pixels`, or of the window. */
  readonly inputs: readonly number[];
  readonly weights: readonly number[];
  readonly outputs: readonly number[];
  readonly im2col: MatrixLights;
  readonly toeplitz: MatrixLights;
}

const NO_LINES: MatrixLights = { rows: [], columns: [], cells: [] };

export const DARK: Lights = {
  window: [],
  pixels: [],
  inputs: [],
  weights: [],
  outputs: [],
  im2col: NO_LINES,
  toeplitz: NO_LINES,
};

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** Rows of im2col that an output channel multiplies, in the order of its weights. */
export function rowsOfChannel(
  o: number,
  { ic, oc, groups, kh, kw }: State,
): { first: number; count: number } {
  const count = (ic / groups) * kh * kw;
  return { first: Math.floor((o * groups) / oc) * count, count };
}

/** The weight of output channel o over a row of im2col; −1 where the channel is of another group. */
export function weightAt(o: number, row: number, state: State): number {
  const { first, count } = rowsOfChannel(o, state);
  return row >= first && row < first + count ? o * count + row - first : -1;
}

/** Whether there is such a thing in this convolution: what a link names may be of another one. */
export function isThere(point: Point, { state, geometry }: Lowering): boolean {
  const { ic, height, width, oc, weights, kh, kw } = state;
  const inputs = ic * height * width;
  const places = geometry.oh * geometry.ow;
  switch (point.of) {
    case 'input':
      return point.at < inputs;
    case 'weight':
      return point.at < weights.length;
    case 'output':
      return point.at < oc * places;
    case 'patch':
      return point.row < ic * kh * kw && point.column < places;
    case 'entry':
      return point.row < oc * places && point.column < inputs;
  }
}

export function lightsOf(point: Point | undefined, lowering: Lowering): Lights {
  if (point === undefined || !isThere(point, lowering)) return DARK;
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

/** Entries of the padded image that output (o, place) reads, in the order of its weights. */
export function windowOf(o: number, place: number, { state, geometry }: Lowering): number[] {
  const { first, count } = rowsOfChannel(o, state);
  const places = geometry.oh * geometry.ow;
  return range(first, count).map((row) => geometry.reads[row * places + place]);
}

function sourcesOf(frame: readonly number[], { geometry }: Lowering): number[] {
  return frame.map((f) => geometry.sources[f]).filter((n) => n >= 0);
}

function ofOutput(at: number, lowering: Lowering): Lights {
  const { geometry, state } = lowering;
  const places = geometry.oh * geometry.ow;
  const [o, place] = [Math.floor(at / places), at % places];
  const window = windowOf(o, place, lowering);
  const { first, count } = rowsOfChannel(o, state);
  const { indices } = geometry.matrix.row(at);
  const inputs = state.ic * state.height * state.width;
  return {
    window,
    pixels: [],
    inputs: sourcesOf(window, lowering),
    weights: range(o * count, count),
    outputs: [at],
    im2col: { rows: [], columns: [place], cells: range(first, count).map((row) => row * places + place) },
    toeplitz: { rows: [at], columns: [], cells: Array.from(indices, (column) => at * inputs + column) },
  };
}

/** Where the padded image has an input element: once, and again where padding repeats it. */
function repeatsOf(at: number, { geometry: { sources } }: Lowering): number[] {
  const places: number[] = [];
  for (let f = 0; f < sources.length; f++) if (sources[f] === at) places.push(f);
  return places;
}

function ofInput(at: number, lowering: Lowering): Lights {
  const { geometry, state } = lowering;
  const places = geometry.oh * geometry.ow;
  const inputs = state.ic * state.height * state.width;
  const pixels = repeatsOf(at, lowering);
  const cells: number[] = [];
  const outputs = new Set<number>();
  const entries = new Set<number>();
  const { reads, sources } = geometry;
  for (let cell = 0; cell < reads.length; cell++) {
    if (sources[reads[cell]] !== at) continue;
    cells.push(cell);
    const row = Math.floor(cell / places);
    for (let o = 0; o < state.oc; o++) {
      const weight = weightAt(o, row, state);
      if (weight < 0) continue;
      const output = o * places + (cell % places);
      outputs.add(output);
      if (state.weights[weight] !== 0) entries.add(output * inputs + at);
    }
  }
  return {
    window: [],
    pixels,
    inputs: [at],
    weights: [],
    outputs: [...outputs],
    im2col: { rows: [], columns: [], cells },
    toeplitz: { rows: [], columns: [at], cells: [...entries] },
  };
}

function ofWeight(at: number, lowering: Lowering): Lights {
  const { geometry, state } = lowering;
  const places = geometry.oh * geometry.ow;
  const inputs = state.ic * state.height * state.width;
  const per = (state.ic / state.groups) * state.kh * state.kw;
  const o = Math.floor(at / per);
  const row = rowsOfChannel(o, state).first + (at % per);
  const window = Array.from(geometry.reads.subarray(row * places, (row + 1) * places));
  const cells: number[] = [];
  window.forEach((f, place) => {
    const source = geometry.sources[f];
    if (source >= 0 && state.weights[at] !== 0) cells.push((o * places + place) * inputs + source);
  });
  return {
    window,
    pixels: [],
    inputs: sourcesOf(window, lowering),
    weights: [at],
    outputs: [],
    im2col: { rows: [row], columns: [], cells: range(row * places, places) },
    toeplitz: { rows: [], columns: [], cells },
  };
}

function ofPatch(row: number, place: number, lowering: Lowering): Lights {
  const { geometry, state } = lowering;
  const places = geometry.oh * geometry.ow;
  const f = geometry.reads[row * places + place];
  const source = geometry.sources[f];
  const inputs = state.ic * state.height * state.width;
  const weights: number[] = [];
  const outputs: number[] = [];
  const entries: number[] = [];
  const window = new Set<number>();
  for (let o = 0; o < state.oc; o++) {
    const weight = weightAt(o, row, state);
    if (weight < 0) continue;
    weights.push(weight);
    outputs.push(o * places + place);
    if (source >= 0 && state.weights[weight] !== 0) entries.push((o * places + place) * inputs + source);
    for (const read of windowOf(o, place, lowering)) window.add(read);
  }
  return {
    window: [...window],
    pixels: [f],
    inputs: source < 0 ? [] : [source],
    weights,
    outputs,
    im2col: { rows: [row], columns: [place], cells: [row * places + place] },
    toeplitz: { rows: outputs, columns: source < 0 ? [] : [source], cells: entries },
  };
}

/** The rows of im2col by which output `row` reads input `column`: several where padding repeats it. */
export function rowsJoining(row: number, column: number, lowering: Lowering): number[] {
  const { geometry, state } = lowering;
  const places = geometry.oh * geometry.ow;
  const { first } = rowsOfChannel(Math.floor(row / places), state);
  const joining: number[] = [];
  windowOf(Math.floor(row / places), row % places, lowering).forEach((f, tap) => {
    if (geometry.sources[f] === column) joining.push(first + tap);
  });
  return joining;
}

function ofEntry(row: number, column: number, lowering: Lowering): Lights {
  const { geometry, state } = lowering;
  const places = geometry.oh * geometry.ow;
  const inputs = state.ic * state.height * state.width;
  const [o, place] = [Math.floor(row / places), row % places];
  const joining = rowsJoining(row, column, lowering);
  const pixels = joining.map((r) => geometry.reads[r * places + place]);
  return {
    window: windowOf(o, place, lowering),
    // What the output does not read is shown where it is: at its own place, which comes first but for padding.
    pixels: pixels.length > 0 ? pixels : repeatsOf(column, lowering),
    inputs: [column],
    weights: joining.map((r) => weightAt(o, r, state)),
    outputs: [row],
    im2col: { rows: [], columns: [place], cells: joining.map((r) => r * places + place) },
    toeplitz: { rows: [row], columns: [column], cells: [row * inputs + column] },
  };
}
