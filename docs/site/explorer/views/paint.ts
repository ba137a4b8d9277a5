/** How blocks of cells and the lights over them are drawn. */
import type { Colours, Role, Tone } from '../colours.js';
import { number } from '../words.js';

/** A rectangle of cells. */
export interface Block {
  readonly id: string;
  readonly rows: number;
  readonly columns: number;
  /** Where it lies and how large its cells are, in CSS pixels. */
  readonly x: number;
  readonly y: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly tone: Tone;
  /** What the numbers come from: they are drawn anew when it is another. */
  readonly source: object;
  /** Calls back for each number that is there; other cells stay empty. */
  readonly each: (visit: (row: number, column: number, value: number) => void) => void;
  /** Cells of a padded border, which are drawn fainter. */
  readonly isFaint?: (row: number, column: number) => boolean;
  /** Whether the arrow keys go here. */
  readonly isNavigable?: boolean;
  readonly title?: string;
}

export interface Mark {
  readonly block: string;
  readonly role: Role;
  /** row·columns + column. */
  readonly cells?: readonly number[];
  readonly rows?: readonly number[];
  readonly columns?: readonly number[];
  /** Filled a little, outlined, or both. */
  readonly look: 'wash' | 'outline' | 'both';
}

/** From this size on a cell has room for its number, from the other for a line around it. */
export const CELL_WITH_NUMBER = 17;
const CELL_WITH_LINE = 5;
/** Lights of smaller cells are dots of this size, so that one among thousands is seen. */
const LEAST_LIGHT = 3;
/** Thin enough for the numbers below to be read. */
const WASH = 0.2;

export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('expected a canvas to draw on');
  return context;
}

interface Texture {
  readonly source: object;
  readonly colours: Colours;
  readonly canvas: HTMLCanvasElement;
}

/** Numbers as colours, of each block, until its numbers or colours are others: a stroke leaves the kernel's matrix as it is. */
export class TextureCache {
  readonly #textures = new Map<string, Texture>();

  get(block: Block, colours: Colours, ratio: number): HTMLCanvasElement {
    const { id, source, columns, rows, cellWidth, cellHeight } = block;
    const width = Math.max(1, Math.min(columns, Math.round(columns * cellWidth * ratio)));
    const height = Math.max(1, Math.min(rows, Math.round(rows * cellHeight * ratio)));
    const kept = this.#textures.get(id);
    const isKept =
      kept?.source === source &&
      kept.colours === colours &&
      kept.canvas.width === width &&
      kept.canvas.height === height;
    if (isKept) return kept.canvas;
    const canvas = textureOf(block, width, height, colours);
    this.#textures.set(id, { source, colours, canvas });
    return canvas;
  }
}

/** A pixel for each cell, or, of more cells than the screen has pixels, the largest of those in it. */
function textureOf(block: Block, width: number, height: number, colours: Colours): HTMLCanvasElement {
  const pixels = new ImageData(width, height);
  const shown = new Float32Array(width * height);
  const scaleX = width / block.columns;
  const scaleY = height / block.rows;
  block.each((row, column, value) => {
    const at = Math.floor(row * scaleY) * width + Math.floor(column * scaleX);
    if (pixels.data[4 * at + 3] !== 0 && Math.abs(value) <= Math.abs(shown[at])) return;
    shown[at] = value;
    const [red, green, blue] = colours.of(value, block.tone);
    pixels.data[4 * at] = red;
    pixels.data[4 * at + 1] = green;
    pixels.data[4 * at + 2] = blue;
    pixels.data[4 * at + 3] = block.isFaint?.(row, column) ? 115 : 255;
  });
  const texture = document.createElement('canvas');
  texture.width = width;
  texture.height = height;
  contextOf(texture).putImageData(pixels, 0, 0);
  return texture;
}

export function drawBlock(
  context: CanvasRenderingContext2D,
  block: Block,
  texture: HTMLCanvasElement,
  colours: Colours,
): void {
  const { x, y, rows, columns, cellWidth, cellHeight, tone } = block;
  const [width, height] = [columns * cellWidth, rows * cellHeight];
  context.fillStyle = colours.faint;
  context.fillRect(x, y, width, height);
  context.imageSmoothingEnabled = false;
  context.drawImage(texture, x, y, width, height);
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  if (Math.min(cellWidth, cellHeight) >= CELL_WITH_LINE) {
    context.beginPath();
    for (let i = 0; i <= columns; i++) line(context, x + i * cellWidth, y, x + i * cellWidth, y + height);
    for (let i = 0; i <= rows; i++) line(context, x, y + i * cellHeight, x + width, y + i * cellHeight);
    context.stroke();
  } else context.strokeRect(x, y, width, height);
  if (Math.min(cellWidth, cellHeight) >= CELL_WITH_NUMBER) {
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    block.each((row, column, value) => {
      const text = number(value);
      context.font = `${fontSize(text, cellWidth, cellHeight)}px ui-sans-serif, system-ui, sans-serif`;
      const isFaint = block.isFaint?.(row, column) ?? false;
      context.fillStyle = isFaint ? colours.ink : colours.on(value, tone);
      context.globalAlpha = isFaint ? 0.6 : 1;
      context.fillText(text, x + (column + 0.5) * cellWidth, y + (row + 0.54) * cellHeight);
      context.globalAlpha = 1;
    });
  }
  if (block.title !== undefined) {
    context.font = '12px ui-sans-serif, system-ui, sans-serif';
    context.textAlign = 'left';
    context.textBaseline = 'bottom';
    context.fillStyle = colours.ink;
    context.globalAlpha = 0.7;
    context.fillText(block.title, x, y - 4);
    context.globalAlpha = 1;
  }
}

function fontSize(text: string, cellWidth: number, cellHeight: number): number {
  return Math.max(7, Math.min(14, cellHeight * 0.55, (1.6 * (cellWidth - 3)) / text.length));
}

function line(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
}

export function drawMark(
  context: CanvasRenderingContext2D,
  block: Block,
  mark: Mark,
  colours: Colours,
): void {
  const { x, y, rows, columns, cellWidth, cellHeight } = block;
  context.fillStyle = context.strokeStyle = colours.role[mark.role];
  const isSmall = Math.min(cellWidth, cellHeight) < LEAST_LIGHT;
  context.lineWidth = isSmall ? 1 : Math.min(Math.max(cellWidth / 9, 1.5), 2.5);
  for (const row of mark.rows ?? [])
    drawBar(context, x, y + row * cellHeight, columns * cellWidth, cellHeight, mark.look);
  for (const column of mark.columns ?? [])
    drawBar(context, x + column * cellWidth, y, cellWidth, rows * cellHeight, mark.look);
  const cells = mark.cells ?? [];
  if (cells.length === 0) return;
  if (isSmall) {
    const [w, h] = [Math.max(cellWidth, LEAST_LIGHT), Math.max(cellHeight, LEAST_LIGHT)];
    for (const cell of cells) {
      const left = x + ((cell % columns) + 0.5) * cellWidth - w / 2;
      context.fillRect(left, y + (Math.floor(cell / columns) + 0.5) * cellHeight - h / 2, w, h);
    }
    return;
  }
  if (mark.look !== 'outline') {
    context.globalAlpha = WASH;
    for (const cell of cells)
      context.fillRect(
        x + (cell % columns) * cellWidth,
        y + Math.floor(cell / columns) * cellHeight,
        cellWidth,
        cellHeight,
      );
    context.globalAlpha = 1;
  }
  if (mark.look !== 'wash') outline(context, block, cells);
}

/** A whole row or column: thin where the cells are. */
function drawBar(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  look: Mark['look'],
): void {
  if (look !== 'outline') {
    context.globalAlpha = WASH;
    context.fillRect(x, y, Math.max(width, 1), Math.max(height, 1));
    context.globalAlpha = 1;
  }
  if (look !== 'wash') {
    if (Math.min(width, height) < LEAST_LIGHT)
      context.fillRect(x, y, Math.max(width, 1), Math.max(height, 1));
    else context.strokeRect(x, y, width, height);
  }
}

/** A line around cells that touch, not between them. */
function outline(context: CanvasRenderingContext2D, block: Block, cells: readonly number[]): void {
  const { x, y, columns, cellWidth, cellHeight } = block;
  const lit = new Set(cells);
  context.beginPath();
  for (const cell of lit) {
    const column = cell % columns;
    const [left, top] = [x + column * cellWidth, y + Math.floor(cell / columns) * cellHeight];
    const [right, bottom] = [left + cellWidth, top + cellHeight];
    if (column === 0 || !lit.has(cell - 1)) line(context, left, top, left, bottom);
    if (column === columns - 1 || !lit.has(cell + 1)) line(context, right, top, right, bottom);
    if (!lit.has(cell - columns)) line(context, left, top, right, top);
    if (!lit.has(cell + columns)) line(context, left, bottom, right, bottom);
  }
  context.lineCap = 'square';
  context.stroke();
}
