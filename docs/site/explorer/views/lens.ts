/** The numbers around a cell of a matrix whose own cells are too small for them. */
import type { Colours } from '../colours.js';
import { byId } from '../elements.js';
import { Board, type Place } from './board.js';
import { type Block, CELL_WITH_NUMBER, type Mark } from './paint.js';

const ROWS = 9;
const LEAST_COLUMNS = 5;
const CELL = { width: 36, height: 20 };

interface Stretch {
  readonly first: number;
  readonly count: number;
}

/** Of so many cells, as many as there is room for, with `at` in their middle or as near as the ends allow. */
function stretch(at: number, cells: number, room: number): Stretch {
  const count = Math.min(room, cells);
  return { first: Math.min(Math.max(at - Math.floor(count / 2), 0), cells - count), count };
}

const words = ({ first, count }: Stretch): string => `${first} to ${first + count - 1}`;

/** What of a matrix's lights falls into a part of it. */
function within(mark: Mark, matrix: Block, rows: Stretch, columns: Stretch): Mark {
  const inside = (at: number, { first, count }: Stretch): boolean => at >= first && at < first + count;
  const cells = (mark.cells ?? []).flatMap((cell) => {
    const [row, column] = [Math.floor(cell / matrix.columns), cell % matrix.columns];
    if (!inside(row, rows) || !inside(column, columns)) return [];
    return [(row - rows.first) * columns.count + column - columns.first];
  });
  const local = (list: readonly number[] | undefined, part: Stretch): number[] =>
    (list ?? []).filter((at) => inside(at, part)).map((at) => at - part.first);
  return {
    ...mark,
    block: 'lens',
    cells,
    rows: local(mark.rows, rows),
    columns: local(mark.columns, columns),
  };
}

export class Lens {
  readonly #figure = byId('lens-figure', HTMLElement);
  readonly #caption = byId('lens-caption', HTMLElement);
  readonly #board: Board;

  constructor(colours: Colours) {
    this.#board = new Board(byId('lens', HTMLCanvasElement), colours);
  }

  /** @param value  An entry of the matrix; undefined where there is none. @param marks  Lights of the matrix. */
  show(
    matrix: Block,
    value: (row: number, column: number) => number | undefined,
    { row, column }: Pick<Place, 'row' | 'column'>,
    marks: readonly Mark[],
    room: number,
    colours: Colours,
  ): void {
    this.#figure.hidden = Math.min(matrix.cellWidth, matrix.cellHeight) >= CELL_WITH_NUMBER;
    if (this.#figure.hidden) return;
    const rows = stretch(row, matrix.rows, ROWS);
    const most = Math.max(LEAST_COLUMNS, Math.floor((room - 2) / CELL.width));
    const columns = stretch(column, matrix.columns, most);
    const block: Block = {
      id: 'lens',
      rows: rows.count,
      columns: columns.count,
      x: 1,
      y: 1,
      cellWidth: CELL.width,
      cellHeight: CELL.height,
      tone: matrix.tone,
      // Other cells with every place.
      source: {},
      each: (visit) => {
        for (let r = 0; r < rows.count; r++) {
          for (let c = 0; c < columns.count; c++) {
            const entry = value(rows.first + r, columns.first + c);
            if (entry !== undefined) visit(r, c, entry);
          }
        }
      },
    };
    const size = { width: columns.count * CELL.width + 2, height: rows.count * CELL.height + 2 };
    this.#board.show([block], size, colours);
    this.#board.light(marks.map((mark) => within(mark, matrix, rows, columns)));
    this.#caption.textContent = `Rows ${words(rows)} and columns ${words(columns)}, close up`;
  }
}
