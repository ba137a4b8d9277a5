/** Pixels and planes by the addon. */
import { type FromPixelsPlan, LARGEST, type ToPixelsPlan } from '../../plan/plans/pixels.js';
import type { Backend } from '../backend.js';
import type { FromPixelsArguments, NativeAddon, ToPixelsArguments } from './addon.js';
import { settled } from './settled.js';

type PixelConversions = Pick<Backend, 'fromPixels' | 'toPixels' | 'fromPixelsAsync' | 'toPixelsAsync'>;

export function pixelsBy(addon: NativeAddon): PixelConversions {
  return {
    fromPixels: (plan, pixels, planes) => addon.fromPixels(...fromArguments(plan), pixels, planes),
    toPixels: (plan, planes, pixels) => addon.toPixels(...toArguments(plan), planes, pixels),
    fromPixelsAsync: (plan, pixels, planes, signal) =>
      settled(
        addon,
        (callback) => addon.fromPixelsAsync(...fromArguments(plan), pixels, planes, callback),
        signal,
      ),
    toPixelsAsync: (plan, planes, pixels, signal) =>
      settled(
        addon,
        (callback) => addon.toPixelsAsync(...toArguments(plan), planes, pixels, callback),
        signal,
      ),
  };
}

/** Of each plane: its channel, whether it is premultiplied, scale, mean and the inverse of the deviation. */
export function fromArguments({ channels, alpha, dtype, planes }: FromPixelsPlan): FromPixelsArguments {
  const numbers = planes.flatMap(({ channel, premultiplied, scale, mean, inverseStd }) => [
    channel,
    Number(premultiplied),
    scale,
    mean,
    inverseStd,
  ]);
  return [channels, alpha, LARGEST[dtype], Float64Array.from(numbers)];
}

export function toArguments({ channels, alpha, to, scale, offset }: ToPixelsPlan): ToPixelsArguments {
  return [channels, alpha, LARGEST[to], scale, offset];
}
