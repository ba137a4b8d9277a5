/** Images as tensors, by sharp: an optional companion that only this command needs. */
import { extname } from 'node:path';
import type { Sharp, SharpOptions } from 'sharp';
import { ArgumentError, FormatError, UnsupportedError } from '../errors.js';
import { fromPixels, toPixels } from '../image/pixels.js';
import type { Tensor } from '../tensor/tensor.js';
import { quoted } from '../text.js';

type SharpModule = typeof import('sharp').default;

async function loadSharp(): Promise<SharpModule> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new UnsupportedError('reading and writing images needs the package sharp: npm install sharp', {
      cause,
    });
  }
}

export interface Image {
  /** [channels, height, width], values 0 to 255 whatever the depth. */
  readonly pixels: Tensor<Float32Array>;
  /** Whether the last channel is opacity. */
  readonly alpha: boolean;
  /** Bits of a channel in the file that was read. */
  readonly depth: 8 | 16;
}

/** The largest values of each depth, by which pixels become 0 … 255. */
const LARGEST = { 8: 255, 16: 65535 } as const;

/** The image as a viewer shows it: turned as its camera says, grey as one channel, in sRGB otherwise. */
export async function readImage(path: string): Promise<Image> {
  const sharp = await loadSharp();
  const image = await decoded(sharp, path);
  const depth = image.info.depth === 'ushort' ? 16 : 8;
  const { width, height, channels } = image.info;
  const { buffer, byteOffset, byteLength } = image.data;
  // Copied: 16-bit values may not begin where a Uint16Array can.
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  const values = depth === 16 ? new Uint16Array(bytes) : new Uint8Array(bytes);
  return {
    pixels: fromPixels({ data: values, width, height, channels }, { scale: 255 / LARGEST[depth] }),
    alpha: channels === 2 || channels === 4,
    depth,
  };
}

async function decoded(sharp: SharpModule, path: string) {
  const { space, depth } = await understood(path, sharp(path).metadata());
  const isGrey = space === 'b-w' || space === 'grey16';
  const isDeep = depth === 'ushort';
  const colours = isGrey ? (isDeep ? 'grey16' : 'b-w') : isDeep ? 'rgb16' : 'srgb';
  // rotate() without an angle turns by the EXIF orientation.
  const image = sharp(path).rotate().toColourspace(colours);
  const raw = image.raw({ depth: isDeep ? 'ushort' : 'uchar' });
  return understood(path, raw.toBuffer({ resolveWithObject: true })) as Promise<{
    data: Buffer;
    info: { width: number; height: number; channels: number; depth?: string };
  }>;
}

/** What sharp says of a file that it cannot read, as an error of ours. */
async function understood<R>(path: string, result: Promise<R>): Promise<R> {
  try {
    return await result;
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0];
    throw new FormatError(`${quoted(path, 200)}: expected an image that sharp reads, got: ${reason}`, {
      cause,
    });
  }
}

/** The formats of files that have 16 bits. */
const DEEP_FORMATS: readonly string[] = ['png', 'tiff', 'tif'];

/** The name that sharp has for the format of a file, from `format` or the file's ending. */
export async function imageFormat(output: string, format: string | undefined): Promise<string> {
  const { format: formats } = await loadSharp();
  const name = (format ?? extname(output).slice(1)).toLowerCase();
  const known = Object.values(formats).filter(
    ({ id, output: { buffer } }) => buffer && id !== 'raw' && id !== 'dz',
  );
  const endings = known.flatMap(({ id, output: { alias } }) => [id, ...(alias ?? [])]);
  if (!endings.includes(name)) {
    const flag = format === undefined ? '--output: expected a file ending in' : '--format: expected';
    throw new ArgumentError(`${flag} ${endings.join(', ')}, got ${quoted(format ?? output)}`);
  }
  return name;
}

/** As TIFF is not by default: 16 bits are not for what they would lose to JPEG's compression, which has 8. */
const LOSSLESS = { compression: 'lzw' } as const;

/** The bytes of an image file of that format. Values are rounded and clamped to 0 … 255, or the same in 16 bits. */
export async function encodeImage({ pixels, depth }: Image, format: string): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const isDeep = depth === 16 && DEEP_FORMATS.includes(format);
  const { data, width, height, channels } = toPixels(pixels, {
    dtype: isDeep ? 'uint16' : 'uint8',
    scale: LARGEST[isDeep ? 16 : 8] / 255,
  });
  const raw = { width, height, channels } as NonNullable<SharpOptions['raw']>;
  const image: Sharp = sharp(data, { raw });
  const isGrey = channels < 3;
  const colours = isDeep ? (isGrey ? 'grey16' : 'rgb16') : isGrey ? 'b-w' : 'srgb';
  return image
    .toColourspace(colours)
    .toFormat(format as Parameters<Sharp['toFormat']>[0], isDeep ? LOSSLESS : {})
    .toBuffer();
}
