/**
 * A canvas of blocks of cells: planes of an image, matrices, vectors. It draws numbers once, and lights over them as often as
 * the screen asks; tells which cell the pointer is over, and moves a cursor by the arrow keys.
 */
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

export interface Place {
  readonly block: string;
  readonly row: number;
  readonly column: number;
}

export interface BoardEvents {
  /** The pointer or the cursor is over a cell; undefined when it has left. */
  point(place: Place | undefined, by: 'pointer' | 'keys'): void;
  press?(place: Place, by: 'pointer' | 'keys'): void;
  /** The pointer goes over cells with its button down. @returns whether the press is a stroke of a brush. */
  stroke?(place: Place): boolean;
  key?(place: Place, key: string): boolean;
}

const NOTHING: BoardEvents = { point: () => {} };

/** From this size on a cell has room for its number, from the other for a line around it. */
export const CELL_WITH_NUMBER = 17;
const CELL_WITH_LINE = 5;
/** Lights of smaller cells are dots of this size, so that one among thousands is seen. */
const LEAST_LIGHT = 3;
/** Thin enough for the numbers below to be read. */
const WASH = 0.2;

export class Board {
  readonly #canvas: HTMLCanvasElement;
  readonly #events: BoardEvents;
  readonly #still = document.createElement('canvas');
  #blocks: readonly Block[] = [];
  #marks: readonly Mark[] = [];
  #colours: Colours;
  #cursor: Place | undefined;
  #isPressed = false;
  #isFramed = false;

  /**
   * @param events  A board without them is a picture, told by its label alone.
   */
  constructor(canvas: HTMLCanvasElement, colours: Colours, events?: BoardEvents) {
    this.#canvas = canvas;
    this.#colours = colours;
    this.#events = events ?? NOTHING;
    if (events === undefined) return;
    // The arrow keys are the board's own, whatever a reader of the screen does with them elsewhere.
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-roledescription', 'board');
    canvas.setAttribute('aria-describedby', 'keys');
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    canvas.addEventListener('pointerdown', (event) => this.#press(event));
    canvas.addEventListener('pointerup', () => this.#release());
    canvas.addEventListener('pointercancel', () => this.#release());
    canvas.addEventListener('pointerleave', () => {
      if (!this.#isPressed) events.point(undefined, 'pointer');
    });
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('focus', () => {
      if (canvas.matches(':focus-visible')) this.#go(this.#cursor ?? this.#firstPlace());
    });
    canvas.addEventListener('blur', () => events.point(undefined, 'keys'));
  }

  get canvas(): HTMLCanvasElement {
    return this.#canvas;
  }

  /** Other numbers, places or colours: everything is drawn anew. */
  show(blocks: readonly Block[], size: { width: number; height: number }, colours: Colours): void {
    this.#blocks = blocks;
    this.#colours = colours;
    const ratio = window.devicePixelRatio;
    for (const canvas of [this.#canvas, this.#still]) {
      canvas.width = Math.max(1, Math.round(size.width * ratio));
      canvas.height = Math.max(1, Math.round(size.height * ratio));
    }
    this.#canvas.style.width = `${size.width}px`;
    this.#canvas.style.height = `${size.height}px`;
    const context = contextOf(this.#still);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const block of blocks) drawBlock(context, block, colours, ratio);
    this.#draw();
  }

  /** Lights, over what is drawn. */
  light(marks: readonly Mark[]): void {
    this.#marks = marks;
    if (this.#isFramed) return;
    this.#isFramed = true;
    requestAnimationFrame(() => {
      this.#isFramed = false;
      this.#draw();
    });
  }

  #draw(): void {
    const context = contextOf(this.#canvas);
    const ratio = window.devicePixelRatio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.drawImage(this.#still, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const mark of this.#marks) {
      const block = this.#blockOf(mark.block);
      if (block !== undefined) drawMark(context, block, mark, this.#colours);
    }
  }

  #blockOf(id: string): Block | undefined {
    return this.#blocks.find((block) => block.id === id);
  }

  #placeAt({ offsetX, offsetY }: { offsetX: number; offsetY: number }): Place | undefined {
    for (const { id, x, y, rows, columns, cellWidth, cellHeight } of this.#blocks) {
      const row = Math.floor((offsetY - y) / cellHeight);
      const column = Math.floor((offsetX - x) / cellWidth);
      if (row >= 0 && row < rows && column >= 0 && column < columns) return { block: id, row, column };
    }
    return undefined;
  }

  #move(event: PointerEvent): void {
    const place = this.#placeAt(event);
    if (this.#isPressed && place !== undefined) this.#events.stroke?.(place);
    this.#events.point(place, 'pointer');
  }

  #press(event: PointerEvent): void {
    const place = this.#placeAt(event);
    if (place === undefined || event.button !== 0) return;
    if (this.#blockOf(place.block)?.isNavigable) this.#cursor = place;
    this.#events.point(place, 'pointer');
    if (this.#events.stroke?.(place)) {
      this.#isPressed = true;
      this.#canvas.setPointerCapture(event.pointerId);
    } else this.#events.press?.(place, 'pointer');
  }

  #release(): void {
    this.#isPressed = false;
  }

  #firstPlace(): Place | undefined {
    const block = this.#blocks.find(({ isNavigable }) => isNavigable);
    return block === undefined ? undefined : { block: block.id, row: 0, column: 0 };
  }

  #go(place: Place | undefined): void {
    const block = place && this.#blockOf(place.block);
    if (place === undefined || block === undefined) return;
    const row = Math.min(Math.max(place.row, 0), block.rows - 1);
    const column = Math.min(Math.max(place.column, 0), block.columns - 1);
    this.#cursor = { block: block.id, row, column };
    this.#events.point(this.#cursor, 'keys');
  }

  #key(event: KeyboardEvent): void {
    const at = this.#cursor ?? this.#firstPlace();
    const block = at && this.#blockOf(at.block);
    if (at === undefined || block === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    const next = this.#stepped(at, block, event.key);
    if (next !== undefined) this.#go(next);
    else if (event.key === 'Enter') this.#events.press?.(at, 'keys');
    else if (!this.#events.key?.(at, event.key)) return;
    event.preventDefault();
  }

  /** Where a key leads: off the side of a plane, to the same row of the next one. */
  #stepped(at: Place, block: Block, key: string): Place | undefined {
    const { row, column } = at;
    const navigable = this.#blocks.filter(({ isNavigable }) => isNavigable);
    const neighbour = navigable[navigable.indexOf(block) + (key === 'ArrowLeft' ? -1 : 1)];
    switch (key) {
      case 'ArrowUp':
        return { ...at, row: row - 1 };
      case 'ArrowDown':
        return { ...at, row: row + 1 };
      case 'ArrowLeft':
        return column === 0 && neighbour !== undefined
          ? { block: neighbour.id, row, column: neighbour.columns - 1 }
          : { ...at, column: column - 1 };
      case 'ArrowRight':
        return column === block.columns - 1 && neighbour !== undefined
          ? { block: neighbour.id, row, column: 0 }
          : { ...at, column: column + 1 };
      case 'Home':
        return { ...at, column: 0 };
      case 'End':
        return { ...at, column: block.columns - 1 };
      case 'PageUp':
        return { ...at, row: 0 };
      case 'PageDown':
        return { ...at, row: block.rows - 1 };
      default:
        return undefined;
    }
  }
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('expected a canvas to draw on');
  return context;
}

/** Numbers as colours: a pixel for each cell, or, of more cells than the screen has pixels, the largest of those in it. */
function textureOf(block: Block, colours: Colours, ratio: number): HTMLCanvasElement {
  const width = Math.max(1, Math.min(block.columns, Math.round(block.columns * block.cellWidth * ratio)));
  const height = Math.max(1, Math.min(block.rows, Math.round(block.rows * block.cellHeight * ratio)));
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

function drawBlock(context: CanvasRenderingContext2D, block: Block, colours: Colours, ratio: number): void {
  const { x, y, rows, columns, cellWidth, cellHeight, tone } = block;
  const [width, height] = [columns * cellWidth, rows * cellHeight];
  context.fillStyle = colours.faint;
  context.fillRect(x, y, width, height);
  context.imageSmoothingEnabled = false;
  context.drawImage(textureOf(block, colours, ratio), x, y, width, height);
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

function drawMark(context: CanvasRenderingContext2D, block: Block, mark: Mark, colours: Colours): void {
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
