// ml-matrix-convolution: one channel, stride 1, size kept.
import mlConvolution from 'ml-matrix-convolution';
import { serve } from './serve.mjs';

const { direct } = mlConvolution;

serve((layer, { input, weight, bias }) => {
  const [n, channels, height, width] = layer.inputShape;
  const [outChannels, , kernelHeight, kernelWidth] = layer.weightShape;
  const square = kernelHeight === kernelWidth && kernelHeight % 2 === 1;
  const kept = layer.padding.every((p) => p === kernelHeight >> 1);
  if (
    layer.rank !== 2 ||
    n * channels * outChannels !== 1 ||
    !square ||
    !kept ||
    layer.stride.some((s) => s !== 1)
  )
    return null;
  // It flips the kernel.
  const kernel = weight.slice().reverse();
  let last;
  return {
    run: () => {
      last = direct(input, height, width, kernel, kernelHeight, kernelWidth);
    },
    result: () => Float32Array.from(last, (value) => value + bias[0]),
  };
});
