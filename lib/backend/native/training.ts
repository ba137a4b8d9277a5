/** What layers compute beside convolutions while they train, by the addon. */
import type { Backend, ChannelShape } from '../backend.js';
import type { NativeAddon } from './addon.js';

type Training = Pick<
  Backend,
  'batchMoments' | 'channelAffine' | 'batchNormGrad' | 'rectify' | 'rectifyGrad' | 'sumElements'
>;

export function trainingBy(addon: NativeAddon): Training {
  return {
    batchMoments: (shape, x, mean, squares) => addon.batchMoments(...sizesOf(shape), x, mean, squares),
    channelAffine: (shape, x, factor, offset, rectified, y) =>
      addon.channelAffine(...sizesOf(shape), x, factor, offset, rectified, y),
    batchNormGrad(shape, g, x, { mean, scale, factor, offset, ofBatch }, rectified, dx, sums, products) {
      const numbers = [mean, scale, factor, offset] as const;
      addon.batchNormGrad(...sizesOf(shape), g, x, ...numbers, rectified, ofBatch, dx, sums, products);
    },
    rectify: addon.rectify,
    rectifyGrad: addon.rectifyGrad,
    sumElements: addon.sumElements,
  };
}

function sizesOf({ batch, channels, places }: ChannelShape): [number, number, number] {
  return [batch, channels, places];
}
