/** The two matrices, each with what it multiplies and what comes out, laid out so that rows and columns meet. */
import { type Colours, largest, type Tone } from '../colours.js';
import { byId } from '../elements.js';
import { type Lights, type MatrixLights, weightAt } from '../lights.js';
import type { Lowering } from '../lowering.js';
import type { Point } from '../point.js';
import { MOST_GREY } from '../state.js';
import { Board, type BoardEvents, type Place } from './board.js';
import { Lens } from './lens.js';
import type { Block, Mark } from './paint.js';

const LARGEST_CELL = 28;
const TALLEST = 560;
const TITLE = 20;
const GREY: Tone = { kind: 'grey', most: MOST_GREY };

/** Cells that fit, in whole pixels while they are large. */
function fit(room: number, cells: number): number {
  const most = room / cells;
  return most >= 4 ? Math.min(Math.floor(most), LARGEST_CELL) : most;
}

function each(rows: number, columns: number, value: (row: number, column: number) => number): Block['each'] {
  return (visit) => {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) visit(row, column, value(row, column));
    }
  };
}

interface Laid {
  readonly blocks: readonly Block[];
  readonly size: { readonly width: number; readonly height: number };
}

/**
 * The weights lie left of the output, im2col above it:
 *
 *              im2col [ic·kh·kw, oh·ow]
 *   W [oc, K]  output [oc, oh·ow]
 */
function im2colBlocks(lowering: Lowering, room: number): Laid {
  const { state, geometry, values } = lowering;
  const rows = state.ic * state.kh * state.kw;
  const places = geometry.oh * geometry.ow;
  const cell = fit(room, rows + places + 1);
  const tall = Math.max(cell, Math.min(14, TALLEST / (rows + state.oc)));
  // A weight matrix of many columns leaves most of the room to the image's.
  const narrow = Math.max(cell, Math.min(tall, (0.25 * room) / rows));
  const gap = Math.max(tall, TITLE);
  const left = narrow * rows + gap;
  const wide = cell >= 4 ? cell : (room - left - 1) / places;
  const weightTone: Tone = { kind: 'signed', most: largest(state.weights) };
  const below = TITLE + tall * rows + gap;
  const blocks: Block[] = [
    {
      id: 'im2col',
      rows,
      columns: places,
      x: left,
      y: TITLE,
      cellWidth: wide,
      cellHeight: tall,
      tone: GREY,
      source: values.columns,
      each: each(rows, places, (r, l) => values.columns[r * places + l]),
      isNavigable: true,
      title: `im2col of the image, ${rows} × ${places}`,
    },
    {
      id: 'weights',
      rows: state.oc,
      columns: rows,
      x: 1,
      y: below,
      cellWidth: narrow,
      cellHeight: tall,
      tone: weightTone,
      source: state.weights,
      each: (visit) => {
        for (let o = 0; o < state.oc; o++) {
          for (let r = 0; r < rows; r++) {
            const weight = weightAt(o, r, state);
            if (weight >= 0) visit(o, r, state.weights[weight]);
          }
        }
      },
      title: `weights, ${state.oc} × ${rows}`,
    },
    {
      id: 'output',
      rows: state.oc,
      columns: places,
      x: left,
      y: below,
      cellWidth: wide,
      cellHeight: tall,
      tone: { kind: 'signed', most: largest(values.output) },
      source: values.output,
      each: each(state.oc, places, (o, l) => values.output[o * places + l]),
      title: `output, ${state.oc} × ${places}`,
    },
  ];
  return { blocks, size: { width: left + wide * places + 1, height: below + tall * state.oc + 1 } };
}

/**
 * The image as a vector lies over the matrix, each pixel above its column; the output as one right of it:
 *
 *   vec(image)ᵀ
 *   Toeplitz [oc·oh·ow, ic·ih·iw]  vec(output)
 */
function toeplitzBlocks(lowering: Lowering, room: number): Laid {
  const { state, geometry, values } = lowering;
  const [rows, columns] = geometry.matrix.shape;
  const strip = 18;
  const cell = Math.min(fit(room - strip - TITLE, columns), fit(TALLEST, rows));
  const top = TITLE + strip + TITLE + 4;
  const right = 1 + cell * columns + 14;
  const { indptr, indices, data } = geometry.csr;
  const blocks: Block[] = [
    {
      id: 'toeplitz',
      rows,
      columns,
      x: 1,
      y: top,
      cellWidth: cell,
      cellHeight: cell,
      tone: { kind: 'signed', most: largest(state.weights) },
      source: geometry.csr,
      each: (visit) => {
        for (let row = 0; row < rows; row++) {
          for (let e = indptr[row]; e < indptr[row + 1]; e++) visit(row, indices[e], data[e]);
        }
      },
      isNavigable: true,
      title: `Toeplitz matrix of the kernel, ${rows} × ${columns}`,
    },
    {
      id: 'input',
      rows: 1,
      columns,
      x: 1,
      y: TITLE,
      cellWidth: cell,
      cellHeight: strip,
      tone: GREY,
      source: state.pixels,
      each: each(1, columns, (_, column) => state.pixels[column]),
      title: `image as a vector of ${columns}`,
    },
    {
      id: 'output',
      rows,
      columns: 1,
      x: right,
      y: top,
      cellWidth: strip,
      cellHeight: cell,
      tone: { kind: 'signed', most: largest(values.output) },
      source: values.output,
      each: each(rows, 1, (row) => values.output[row]),
    },
  ];
  return { blocks, size: { width: right + strip + 1, height: top + cell * rows + 1 } };
}

/** What a cell of either picture stands for. */
function pointAt({ block, row, column }: Place, lowering: Lowering): Point | undefined {
  const { state, geometry } = lowering;
  const places = geometry.oh * geometry.ow;
  switch (block) {
    case 'im2col':
      return { of: 'patch', row, column };
    case 'toeplitz':
      return { of: 'entry', row, column };
    case 'input':
      return { of: 'input', at: column };
    case 'weights': {
      const at = weightAt(row, column, state);
      return at < 0 ? undefined : { of: 'weight', at };
    }
    default:
      return { of: 'output', at: state.way === 'im2col' ? row * places + column : row };
  }
}

function im2colMarks(lights: Lights, { state }: Lowering): Mark[] {
  const rows = state.ic * state.kh * state.kw;
  const per = rows / state.groups;
  const weightCells = lights.weights.map((weight) => {
    const o = Math.floor(weight / per);
    return o * rows + Math.floor((o * state.groups) / state.oc) * per + (weight % per);
  });
  return [
    { block: 'im2col', role: 'read', look: 'wash', rows: lights.im2col.rows, columns: lights.im2col.columns },
    { block: 'im2col', role: 'read', look: 'both', cells: lights.im2col.cells },
    { block: 'weights', role: 'tap', look: 'both', cells: weightCells },
    { block: 'output', role: 'written', look: 'both', cells: lights.outputs },
  ];
}

function toeplitzMarks(lights: Lights): Mark[] {
  const { rows, columns, cells } = lights.toeplitz;
  return [
    { block: 'toeplitz', role: 'written', look: 'wash', rows },
    { block: 'toeplitz', role: 'read', look: 'wash', columns },
    { block: 'toeplitz', role: 'tap', look: 'both', cells },
    { block: 'input', role: 'read', look: 'both', cells: lights.inputs },
    { block: 'output', role: 'written', look: 'both', cells: lights.outputs },
  ];
}

/** A cell among those that light up: on the line that is lit, or the first. */
function cellIn({ rows, columns, cells }: MatrixLights, across: number): { row: number; column: number } {
  const [cell = 0] = cells;
  return { row: rows[0] ?? Math.floor(cell / across), column: columns[0] ?? cell % across };
}

/** One of the two matrices, with its lens. */
export class MatrixView {
  readonly #board: Board;
  readonly #lens: Lens;
  #lowering: Lowering | undefined;
  #main: Block | undefined;
  #room = 0;
  #colours: Colours;

  constructor(colours: Colours, events: (pointAt: (place: Place) => Point | undefined) => BoardEvents) {
    this.#colours = colours;
    this.#lens = new Lens(colours);
    this.#board = new Board(
      byId('matrix', HTMLCanvasElement),
      colours,
      events((place) => this.#lowering && pointAt(place, this.#lowering)),
    );
  }

  show(lowering: Lowering, room: number, colours: Colours): void {
    this.#lowering = lowering;
    this.#colours = colours;
    this.#room = room;
    const laid =
      lowering.state.way === 'im2col' ? im2colBlocks(lowering, room) : toeplitzBlocks(lowering, room);
    this.#main = laid.blocks[0];
    this.#board.show(laid.blocks, laid.size, colours);
    this.#board.canvas.setAttribute('aria-label', this.#main.title ?? '');
  }

  light(lights: Lights): void {
    const lowering = this.#lowering;
    if (lowering === undefined || this.#main === undefined) return;
    const { state, geometry, values } = lowering;
    const isIm2col = state.way === 'im2col';
    const marks = isIm2col ? im2colMarks(lights, lowering) : toeplitzMarks(lights);
    this.#board.light(marks);
    const across = this.#main.columns;
    const cell = cellIn(isIm2col ? lights.im2col : lights.toeplitz, across);
    const value = isIm2col
      ? (row: number, column: number) => values.columns[row * across + column]
      : (row: number, column: number) => geometry.matrix.at(row, column) || undefined;
    const main = this.#main;
    const own = marks.filter(({ block }) => block === main.id);
    this.#lens.show(main, value, cell, own, this.#room, this.#colours);
  }
}
