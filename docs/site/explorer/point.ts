/** What the reader points at, and its name in a link. */

/** Elements are counted row-major, as convmat counts them: a pixel in [ic, ih, iw], a weight in OIHW, an output in [oc, oh, ow]. */
export type Point =
  | { readonly of: 'input'; readonly at: number }
  | { readonly of: 'weight'; readonly at: number }
  | { readonly of: 'output'; readonly at: number }
  /** An entry of im2col: row (c, p, q), column (i, j). */
  | { readonly of: 'patch'; readonly row: number; readonly column: number }
  /** An entry of the Toeplitz matrix, zeros too. */
  | { readonly of: 'entry'; readonly row: number; readonly column: number };

export function samePoint(a: Point | undefined, b: Point | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && nameOfPoint(a) === nameOfPoint(b));
}

export function nameOfPoint(point: Point): string {
  return 'at' in point ? `${point.of}.${point.at}` : `${point.of}.${point.row}.${point.column}`;
}

export function pointNamed(name: string): Point | undefined {
  const found = /^(input|weight|output|patch|entry)\.(\d{1,9})(?:\.(\d{1,9}))?$/.exec(name);
  if (found === null) return undefined;
  const [, of, first, second] = found;
  const isPair = of === 'patch' || of === 'entry';
  if (isPair !== (second !== undefined)) return undefined;
  if (of === 'patch' || of === 'entry') return { of, row: Number(first), column: Number(second) };
  return of === 'input' || of === 'weight' || of === 'output' ? { of, at: Number(first) } : undefined;
}
