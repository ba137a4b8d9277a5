/** Compressed bytes as they are expanded or made. A stream of zlib lives and dies here. */
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createDeflateRaw, createGunzip, createGzip, createInflateRaw } from 'node:zlib';
import { isObject } from '../check.js';
import { ConvmatError, FormatError } from '../errors.js';
import { copyOfLent } from './lent.js';

const CHUNK = 1 << 16;

/** What `pieces` hold when they are expanded. What is wrong with them is a FormatError. */
export async function* inflated(
  pieces: AsyncIterable<Uint8Array>,
  format: 'deflate' | 'gzip',
  name: string,
): AsyncGenerator<Uint8Array> {
  const options = { chunkSize: CHUNK };
  try {
    yield* through(
      copiesOf(pieces, name),
      format === 'gzip' ? createGunzip(options) : createInflateRaw(options),
    );
  } catch (cause) {
    if (cause instanceof ConvmatError || !isZlibError(cause)) throw cause;
    throw new FormatError(`${name}: expected sound ${format} data, got: ${cause.message}`, { cause });
  }
}

/** zlib reads them on a thread of its own, and Node.js ends the process when they are taken away before it does. */
async function* copiesOf(pieces: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield copyOfLent(piece, name);
}

/** The pieces compressed. What they throw is thrown. */
export function deflated(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  format: 'deflate' | 'gzip',
): AsyncGenerator<Uint8Array> {
  const options = { chunkSize: CHUNK };
  return through(pieces, format === 'gzip' ? createGzip(options) : createDeflateRaw(options));
}

/** By their codes: in a test runner's realm zlib's errors are not its Errors. */
function isZlibError(error: unknown): error is { readonly code: unknown; readonly message: unknown } {
  return isObject(error) && 'code' in error && 'message' in error && String(error.code).startsWith('Z_');
}

/**
 * Owns a stream for as long as somebody reads: what the pieces or the stream throw, the reader gets; when the reader
 * leaves, both end. Nothing is emitted that nobody listens to.
 */
async function* through(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  stream: Transform,
): AsyncGenerator<Uint8Array> {
  const fed = pipeline(pieces, stream);
  // The reader hears of a failure through the stream, and of its own leaving it need not hear.
  fed.catch(() => {});
  try {
    yield* stream as AsyncIterable<Uint8Array>;
    await fed;
  } finally {
    stream.destroy();
  }
}
