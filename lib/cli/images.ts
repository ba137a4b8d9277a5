/** Images as tensors, by sharp: an optional companion that only this command needs. */
import { UnsupportedError } from '../errors.js';
import { Tensor } from '../tensor/tensor.js';

/** The part of sharp that is used; the package itself may be absent. */
type Sharp = (input: string | Uint8Array, options?: object) => SharpImage;
interface SharpImage {
  toColourspace(space: string): SharpImage;
  raw(): SharpImage;
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Uint8Array; info: ImageInfo }>;
  toFile(path: string): Promise<unknown>;
}
interface ImageInfo {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

async function loadSharp(): Promise<Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new UnsupportedError('reading and writing images needs the package sharp: npm install sharp', {
      cause,
    });
  }
}

export interface Image {
  /** [channels, height, width], values 0 to 255. */
  readonly pixels: Tensor<Float32Array>;
  /** Of the channels the last is opacity. */
  readonly alpha: boolean;
}

export async function readImage(path: string): Promise<Image> {
  const sharp = await loadSharp();
  const { data, info } = await sharp(path).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const pixels = new Float32Array(channels * height * width);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < channels; c++) pixels[c * height * width + i] = data[i * channels + c];
  }
  return { pixels: new Tensor(pixels, [channels, height, width]), alpha: channels === 2 || channels === 4 };
}

/** Values are rounded and clamped to 0 … 255. The format is the one that the file's name ends in. */
export async function writeImage(path: string, { data, shape }: Tensor): Promise<void> {
  const [channels, height, width] = shape;
  const bytes = new Uint8ClampedArray(data.length);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < channels; c++) bytes[i * channels + c] = data[c * height * width + i];
  }
  const raw = { width, height, channels };
  const sharp = await loadSharp();
  await sharp(new Uint8Array(bytes.buffer), { raw }).toFile(path);
}
