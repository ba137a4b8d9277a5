/**
 * A canvas of blocks of cells: planes of an image, matrices, vectors. It draws numbers once, and lights over them as often as
 * the screen asks; tells which cell the pointer is over, and moves a cursor by the arrow keys.
 */
import type { Colours } from '../colours.js';
import { type Block, contextOf, drawBlock, drawMark, type Mark, TextureCache } from './paint.js';

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

export class Board {
  readonly #canvas: HTMLCanvasElement;
  readonly #events: BoardEvents;
  readonly #still = document.createElement('canvas');
  readonly #textures = new TextureCache();
  #blocks: readonly Block[] = [];
  #marks: readonly Mark[] = [];
  #colours: Colours;
  #cursor: Place | undefined;
  #isPressed = false;

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
    for (const block of blocks) drawBlock(context, block, this.#textures.get(block, colours, ratio), colours);
    this.#draw();
  }

  /** Lights, over what is drawn, at once: the words about them change in the same frame. */
  light(marks: readonly Mark[]): void {
    this.#marks = marks;
    this.#draw();
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
