/** Images through a prepared convolution: pixels in, pixels out. */
import { withOwnOperands } from '../backend/own-operands.js';
import { backend } from '../backend/select.js';
import { checkOptions } from '../check.js';
import { type AsyncOptions, readSignal, readTransfer } from '../conv/options.js';
import { bindingOf, type PreparedConv } from '../conv/prepared.js';
import { uninitialised } from '../tensor/dtype.js';
import {
  FROM_OPTIONS,
  type FromPixelsOptions,
  fromPixels,
  type PixelArray,
  type Pixels,
  planToPixels,
  readFromPixels,
  TO_OPTIONS,
  type ToPixelsOptions,
  toPixels,
} from './pixels.js';

/** How pixels become planes, and how those become pixels again. */
export interface ConvolveOptions {
  /** As of fromPixels. */
  readonly from?: FromPixelsOptions;
  /** As of toPixels. */
  readonly to?: ToPixelsOptions;
}

const OPTIONS = ['from', 'to'] as const;

/**
 * toPixels(layer.run(fromPixels(pixels, options.from)), options.to): a filter of images. Convolutions of convmat do not
 * flip the kernel.
 *
 * @param layer  What prepareConv returns for a float32 weight of as many input channels as planes; of one group for each
 *   channel where each is filtered by itself. It makes one to four channels.
 * @throws as fromPixels, conv2d and toPixels.
 * @example
 *   const weight = tensor(new Float32Array(3 * 9).fill(1 / 9), [3, 1, 3, 3]);
 *   using blur = prepareConv(weight, { groups: 3, padding: 'same', paddingMode: 'reflect' });
 *   const blurred = image.convolve({ data: new Uint8Array(48), width: 4, height: 4 }, blur);
 */
export function convolve(pixels: Pixels, layer: PreparedConv, options?: ConvolveOptions): Required<Pixels> {
  const { from, to } = readHalves(checkOptions(options, OPTIONS));
  const { shape } = readFromPixels(pixels, from);
  const { outputShape } = bindingOf(layer, shape, 'float32');
  planToPixels('float32', outputShape, 'output', to);
  return toPixels(layer.run(fromPixels(pixels, from)), to);
}

/**
 * As convolve, off the event loop and as one job, with what lies between the pixels in memory that is kept for the next:
 * many at once take less time and memory than fromPixelsAsync, runAsync and toPixelsAsync one after the other.
 *
 * The pixels are copied, as conv2dAsync's operands are, or handed over (`transfer`).
 *
 * @example const blurred = await image.convolveAsync(pixels, blur);
 */
export async function convolveAsync(
  pixels: Pixels,
  layer: PreparedConv,
  options?: ConvolveOptions & AsyncOptions,
): Promise<Required<Pixels>> {
  const given = checkOptions(options, [...OPTIONS, 'signal', 'transfer']);
  const signal = readSignal(given.signal);
  const transfer = readTransfer(given.transfer, 'pixels.data');
  const { from, to } = readHalves(given);
  const { plan: toPlanes, data, shape } = readFromPixels(pixels, from);
  const { conv, inputSize, outputShape, outputSize } = bindingOf(layer, shape, 'float32');
  const { plan: ofPlanes, size } = planToPixels('float32', outputShape, 'output', to);
  signal?.throwIfAborted();
  const result = await conv.during(() => {
    const packed = conv.inTime();
    // Who waits for it may be gone before it fails.
    packed.catch(() => {});
    const bytes = 4 * (inputSize + 2 * outputSize);
    return withOwnOperands({ 'pixels.data': data }, bytes, { signal, transfer }, async (own) => {
      const bound = await packed;
      const pixelsOf: PixelArray = uninitialised(ofPlanes.to, outputSize);
      if (bound.convolvePixelsAsync !== undefined)
        return bound.convolvePixelsAsync(toPlanes, ofPlanes, own['pixels.data'], pixelsOf, signal);
      const into = uninitialised('float32', inputSize);
      const planes = await backend().fromPixelsAsync(toPlanes, own['pixels.data'], into, signal);
      const sums = await bound.runAsync(planes, signal);
      return backend().toPixelsAsync(ofPlanes, sums, pixelsOf, signal);
    });
  });
  return { data: result, ...size };
}

function readHalves(options: ConvolveOptions): { from: FromPixelsOptions; to: ToPixelsOptions } {
  return {
    from: checkOptions(options.from, FROM_OPTIONS, 'options.from'),
    to: checkOptions(options.to, TO_OPTIONS, 'options.to'),
  };
}
