/** The image with its padding, and the output: a plane for each channel. */
import type { Colours } from '../colours.js';
import { largest } from '../colours.js';
import type { Lights } from '../lights.js';
import type { Lowering } from '../lowering.js';
import { MOST_GREY } from '../state.js';
import { isInside } from '../words.js';
import type { Board } from './board.js';
import type { Block, Mark } from './paint.js';

const GAP = 12;
const LARGEST_CELL = 34;
/** Of a plane, in CSS pixels. */
const LARGEST_SIDE = { one: 250, several: 210 };

interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly room: number;
}

/** Planes side by side where there is room, else below each other; cells of whole pixels while they are large. */
function layOut({ channels, height, width, room }: Planes): {
  cell: number;
  x: (c: number) => number;
  y: (c: number) => number;
  size: { width: number; height: number };
} {
  const most =
    Math.min(room, channels === 1 ? LARGEST_SIDE.one : LARGEST_SIDE.several) / Math.max(width, height);
  const cell = most >= 4 ? Math.min(Math.floor(most), LARGEST_CELL) : most;
  const across = Math.max(1, Math.min(channels, Math.floor((room + GAP) / (cell * width + GAP))));
  const down = Math.ceil(channels / across);
  return {
    cell,
    x: (c) => 1 + (c % across) * (cell * width + GAP),
    y: (c) => 1 + Math.floor(c / across) * (cell * height + GAP),
    size: {
      width: across * (cell * width + GAP) - GAP + 2,
      height: down * (cell * height + GAP) - GAP + 2,
    },
  };
}

function planeBlocks(
  planes: Planes,
  block: (channel: number) => Pick<Block, 'tone' | 'source' | 'each' | 'isFaint'>,
): {
  blocks: Block[];
  size: { width: number; height: number };
} {
  const { cell, x, y, size } = layOut(planes);
  const blocks = Array.from({ length: planes.channels }, (_, c) => ({
    id: `${c}`,
    rows: planes.height,
    columns: planes.width,
    x: x(c),
    y: y(c),
    cellWidth: cell,
    cellHeight: cell,
    isNavigable: true,
    ...block(c),
  }));
  return { blocks, size };
}

function eachOf(values: ArrayLike<number>, channel: number, height: number, width: number): Block['each'] {
  return (visit) => {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) visit(y, x, values[(channel * height + y) * width + x]);
    }
  };
}

export function showImage(board: Board, lowering: Lowering, room: number, colours: Colours): void {
  const { state, geometry, values } = lowering;
  const { fh, fw } = geometry;
  const { blocks, size } = planeBlocks({ channels: state.ic, height: fh, width: fw, room }, (c) => ({
    tone: { kind: 'grey', most: MOST_GREY },
    source: values.frame,
    each: eachOf(values.frame, c, fh, fw),
    isFaint: (row, column) => !isInside((c * fh + row) * fw + column, lowering),
  }));
  board.show(blocks, size, colours);
  board.canvas.setAttribute('aria-label', `Image, ${fh} by ${fw}`);
}

export function showOutput(board: Board, lowering: Lowering, room: number, colours: Colours): void {
  const { state, geometry, values } = lowering;
  const { oh, ow } = geometry;
  const most = largest(values.output);
  const { blocks, size } = planeBlocks({ channels: state.oc, height: oh, width: ow, room }, (c) => ({
    tone: { kind: 'signed', most },
    source: values.output,
    each: eachOf(values.output, c, oh, ow),
  }));
  board.show(blocks, size, colours);
  board.canvas.setAttribute('aria-label', `Output, ${oh} by ${ow}`);
}

/** Marks of elements of planes of one size, by plane. */
function marksOf(elements: readonly number[], plane: number, mark: Pick<Mark, 'role' | 'look'>): Mark[] {
  const cells = new Map<number, number[]>();
  for (const element of elements) {
    const channel = Math.floor(element / plane);
    const list = cells.get(channel) ?? [];
    list.push(element % plane);
    cells.set(channel, list);
  }
  return Array.from(cells, ([channel, list]) => ({ block: `${channel}`, cells: list, ...mark }));
}

export function lightImage(board: Board, lights: Lights, { geometry }: Lowering): void {
  const plane = geometry.fh * geometry.fw;
  board.light([
    ...marksOf(lights.window, plane, { role: 'read', look: 'both' }),
    ...marksOf(lights.pixels, plane, { role: lights.window.length > 0 ? 'tap' : 'read', look: 'outline' }),
  ]);
}

export function lightOutput(board: Board, lights: Lights, { geometry }: Lowering): void {
  board.light(marksOf(lights.outputs, geometry.oh * geometry.ow, { role: 'written', look: 'both' }));
}
