/** Batch normalisation taken into the weights before it. */
import { isInstance, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { product } from '../numbers.js';
import { convertLike } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { BatchNorm1d } from './batch-norm.js';
import { CONV_LAYER_OF_RANK, Conv1d } from './conv.js';
import { CONV_TRANSPOSE_LAYER_OF_RANK, ConvTranspose1d } from './conv-transpose.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { Residual } from './residual.js';
import { Sequential } from './sequential.js';

/**
 * The network with every BatchNorm that follows a Conv, ConvTranspose or Linear taken into its weight and bias, in nested
 * Sequentials and Residuals too: W' = factor·W and b' = factor·b + offset per output channel, with the running statistics.
 * What folds is dropped, so that the layers behind it move up; every other layer is copied.
 *
 * @returns a network of its own in evaluation mode; outputs are those of `net` in that mode, to rounding.
 * @throws {ArgumentError} when net is no Module.
 * @example const folded = nn.foldBatchNorm(new nn.Sequential(new nn.Conv2d(1, 6, 3), new nn.BatchNorm2d(6)));
 */
export function foldBatchNorm(net: Module): Module {
  if (!isInstance(net, Module)) throw mistake(ArgumentError, 'net', 'a Module', net);
  return folded(net).eval();
}

function folded(module: Module): Module {
  if (module instanceof Residual)
    return new Residual(folded(module.body), module.shortcut === null ? null : folded(module.shortcut));
  if (!isInstance(module, Sequential)) return module.copy();
  const layers: Module[] = [];
  const { modules } = module;
  for (let i = 0; i < modules.length; i++) {
    const [layer, next] = [modules[i], modules[i + 1]];
    const norm = next instanceof BatchNorm1d ? next.affine() : null;
    if (norm !== null && isWeighted(layer)) {
      layers.push(withNorm(layer, norm.factor, norm.offset));
      i++;
    } else layers.push(folded(layer));
  }
  return new Sequential(...layers);
}

type Weighted = Conv1d | ConvTranspose1d | Linear;

/** The plain layers alone: a subclass may compute something else. */
const WEIGHTED: ReadonlySet<unknown> = new Set([
  ...Object.values(CONV_LAYER_OF_RANK),
  ...Object.values(CONV_TRANSPOSE_LAYER_OF_RANK),
  Linear,
]);

function isWeighted(module: Module): module is Weighted {
  return WEIGHTED.has(module.constructor);
}

/** A layer that gives factor·y + offset of each output channel where this one gives y. */
function withNorm(layer: Weighted, factor: Float64Array, offset: Float64Array): Weighted {
  const twin = likeWithBias(layer);
  const { data, shape } = layer.weight.data;
  const channelOf = outputChannelOf(layer);
  const weight = convertLike(
    data,
    Float64Array.from(data, (w, i) => w * factor[channelOf(i)]),
  );
  const own = layer.bias?.data.data;
  const bias = convertLike(
    data,
    offset.map((value, o) => value + factor[o] * (own === undefined ? 0 : own[o])),
  );
  twin.loadStateDict({ weight: new Tensor(weight, shape), bias });
  return twin;
}

function likeWithBias(layer: Weighted): Weighted {
  const options = { bias: true, seed: 0 };
  if (layer instanceof Linear) return new Linear(layer.inFeatures, layer.outFeatures, options);
  const { inChannels, outChannels, geometry, rank } = layer;
  const kernel = layer.weight.data.shape.slice(2);
  if (layer instanceof Conv1d)
    return new CONV_LAYER_OF_RANK[rank](inChannels, outChannels, kernel, { ...geometry, ...options });
  const { outputPadding } = layer;
  const Layer = CONV_TRANSPOSE_LAYER_OF_RANK[rank];
  return new Layer(inChannels, outChannels, kernel, { ...geometry, outputPadding, ...options });
}

/** The output channel that an element of the weight leads to. */
function outputChannelOf(layer: Weighted): (index: number) => number {
  const { size, shape } = layer.weight.data;
  if (!(layer instanceof ConvTranspose1d)) return (index) => Math.floor(index / (size / shape[0]));
  // [inChannels, outChannels/groups, kernel…]
  const taps = product(shape.slice(2));
  const perGroup = layer.inChannels / layer.geometry.groups;
  return (index) => {
    const plane = Math.floor(index / taps);
    const group = Math.floor(plane / shape[1] / perGroup);
    return group * shape[1] + (plane % shape[1]);
  };
}
