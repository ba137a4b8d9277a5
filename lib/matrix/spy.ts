/** Pictures of where a convolution's matrix is not zero, each kernel tap in a colour of its own. */

import { checkInteger, checkOneOf, checkOptions } from '../check.js';
import { product } from '../numbers.js';
import { forEachRowRun, type RowRun, type Structure } from '../plan/entries.js';
import { encodePng, type Raster } from './png.js';

/** Format and size of a picture. */
export interface SpyOptions {
  /** 'svg' (the default) gives a string, 'png' the file's bytes. */
  readonly format?: 'svg' | 'png';
  /** Longest side of the picture, in pixels. Default 1024. */
  readonly maxSize?: number;
}

/** From this many pixels on, an entry is a square of its own; below, a pixel gathers many. */
const LEAST_CELL = 3;
const LARGEST_CELL = 36;
/** From this on there is room for the value inside. */
const CELL_WITH_VALUE = 22;
/** Rows looked at for one row of pixels: enough to see the structure, few enough for any size. */
const ROWS_PER_PIXEL = 4;
/** A matrix of few rows and many columns stays visible. */
const LEAST_SIDE = 8;
/** Opacity of a pixel that gathers the fewest entries of all. */
const FAINTEST = 0.35;

type Colour = readonly [red: number, green: number, blue: number];

export function spyPicture(
  structure: Structure,
  shape: readonly [number, number],
  options: SpyOptions = {},
): string | Uint8Array {
  const given = checkOptions(options, ['format', 'maxSize']);
  const format = checkOneOf(given.format ?? 'svg', 'options.format', ['svg', 'png']);
  const maxSize = checkInteger(given.maxSize ?? 1024, 'options.maxSize', 16, 16384);
  const cell = Math.min(LARGEST_CELL, Math.floor(maxSize / Math.max(shape[0], shape[1], 1)));
  if (format === 'png')
    return encodePng(
      cell >= LEAST_CELL ? cellRaster(structure, shape, cell) : binnedRaster(structure, shape, maxSize),
    );
  return cell >= LEAST_CELL
    ? cellSvg(structure, shape, cell)
    : imageSvg(binnedRaster(structure, shape, maxSize));
}

function blank(width: number, height: number): Raster {
  return { width, height, data: new Uint8Array(4 * width * height).fill(255) };
}

/** visit(row, column, tap, value) for every entry of a matrix that is small enough to show each. */
function forEachEntry(
  structure: Structure,
  visit: (row: number, column: number, tap: number, value: number) => void,
): void {
  const size = kernelSize(structure);
  forEachRowRun(structure, ({ first, count, step, entries, columns, taps, values }) => {
    for (let i = 0; i < count; i++) {
      for (let e = 0; e < entries; e++) visit(first + i, columns[e] + i * step, taps[e] % size, values[e]);
    }
  });
}

function kernelSize({ axes }: Structure): number {
  return product(axes.map((axis) => axis.kernel));
}

/** Hues a golden angle apart: neighbours differ, and no two of a kernel's taps coincide. */
function colourOf(tap: number): Colour {
  const hue = (tap * 137.508 + 210) % 360;
  const channel = (n: number): number => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.48 - 0.34 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

function cellSvg(structure: Structure, [rows, cols]: readonly [number, number], cell: number): string {
  const [width, height] = [cols * cell + 1, rows * cell + 1];
  const lines: string[] = [];
  for (let row = 0; row <= rows; row++) lines.push(`M0.5 ${row * cell + 0.5}h${cols * cell}`);
  for (let col = 0; col <= cols; col++) lines.push(`M${col * cell + 0.5} 0.5v${rows * cell}`);
  const squares: string[] = [];
  forEachEntry(structure, (row, col, tap, value) => {
    const [x, y] = [col * cell, row * cell];
    const number = String(Number(value.toPrecision(3)));
    const label =
      cell >= CELL_WITH_VALUE && number.length <= 5
        ? `<text x="${x + cell / 2 + 0.5}" y="${y + cell / 2 + 0.5}">${number}</text>`
        : '';
    squares.push(
      `<g><title>row ${row}, column ${col}, tap ${tap}: ${value}</title><rect x="${x + 1}" y="${y + 1}" width="${cell - 1}" height="${cell - 1}" fill="rgb(${colourOf(tap).join(',')})"/>${label}</g>`,
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="${Math.round(cell * 0.38)}" fill="white" text-anchor="middle" dominant-baseline="central">
<rect width="100%" height="100%"/>
<path d="${lines.join('')}" stroke="#d0d4da" fill="none"/>
${squares.join('\n')}
</svg>
`;
}

function cellRaster(structure: Structure, [rows, cols]: readonly [number, number], cell: number): Raster {
  const raster = blank(cols * cell + 1, rows * cell + 1);
  forEachEntry(structure, (row, col, tap) => {
    const colour = colourOf(tap);
    for (let y = row * cell + 1; y < (row + 1) * cell; y++) {
      for (let x = col * cell + 1; x < (col + 1) * cell; x++)
        raster.data.set(colour, 4 * (y * raster.width + x));
    }
  });
  return raster;
}

/** Each pixel is the mean colour of the entries that fall into it, the fainter the fewer they are. */
function binnedRaster(
  structure: Structure,
  [rows, cols]: readonly [number, number],
  maxSize: number,
): Raster {
  const scale = maxSize / Math.max(rows, cols);
  const height = Math.max(LEAST_SIDE, Math.round(rows * scale));
  const width = Math.max(LEAST_SIDE, Math.round(cols * scale));
  const size = kernelSize(structure);
  const colours = Array.from({ length: size }, (_, tap) => colourOf(tap));
  const count = new Float64Array(width * height);
  const sums = new Float64Array(3 * width * height);
  const hop = Math.max(1, Math.floor(rows / height / ROWS_PER_PIXEL));
  const gather = ({ first, count: length, step, entries, columns, taps }: RowRun): void => {
    // Rows are sampled at multiples of `hop`, whatever runs they belong to.
    for (let i = (hop - (first % hop)) % hop; i < length; i += hop) {
      const line = Math.floor(((first + i) * height) / rows) * width;
      for (let e = 0; e < entries; e++) {
        const pixel = line + Math.floor(((columns[e] + i * step) * width) / cols);
        const [red, green, blue] = colours[taps[e] % size];
        count[pixel]++;
        sums[3 * pixel] += red;
        sums[3 * pixel + 1] += green;
        sums[3 * pixel + 2] += blue;
      }
    }
  };
  forEachRowRun(structure, gather);
  const most = count.reduce((a, b) => Math.max(a, b), 1);
  const raster = blank(width, height);
  count.forEach((n, pixel) => {
    if (n === 0) return;
    const opacity = FAINTEST + (1 - FAINTEST) * Math.sqrt(n / most);
    for (let c = 0; c < 3; c++)
      raster.data[4 * pixel + c] = Math.round(255 + opacity * (sums[3 * pixel + c] / n - 255));
  });
  return raster;
}

/** An SVG of one embedded picture: a rectangle per pixel would be a hundred times as long. */
function imageSvg(raster: Raster): string {
  const { width, height } = raster;
  // Piece by piece: a call takes only so many arguments.
  const bytes = Array.from(encodePng(raster), (byte) => String.fromCharCode(byte));
  const png = btoa(bytes.join(''));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<image width="${width}" height="${height}" href="data:image/png;base64,${png}"/>
</svg>
`;
}
