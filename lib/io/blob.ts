/** Blobs, which browsers and Node.js have, told by what they offer: theirs is no class of one realm. */
import { isObject } from '../check.js';

/** A Blob or File, of any realm, as far as readers look at it. */
export interface BlobLike {
  /** What errors call it; a File has one. */
  readonly name?: string;
  /** Bytes. */
  readonly size: number;
  /** Those from `start` to before `end`. */
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
  /** All of them. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Whether something has what readers need of a Blob. */
export function isBlob(source: unknown): source is BlobLike {
  if (!isObject(source) || !('size' in source && 'slice' in source && 'arrayBuffer' in source)) return false;
  const { size, slice, arrayBuffer } = source;
  return isLength(size) && typeof slice === 'function' && typeof arrayBuffer === 'function';
}

function isLength(size: unknown): boolean {
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
}
