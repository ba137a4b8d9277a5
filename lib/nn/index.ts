/**
 * Networks that train: layers, losses, and the way from convolutions to fully-connected layers.
 *
 * @module
 */
export type { GELUOptions } from './activations.js';
export { GELU, LeakyReLU, Sigmoid, SiLU, Softmax, Tanh } from './activations.js';
export { AdaptiveAvgPool2d } from './adaptive-pool.js';
export type { BatchNormOptions } from './batch-norm.js';
export { BatchNorm1d, BatchNorm2d, BatchNorm3d } from './batch-norm.js';
export { Conv1d, Conv2d, Conv3d } from './conv.js';
export type { ConvLayerOptions } from './conv-parts.js';
export type { ConvTransposeLayerOptions } from './conv-transpose.js';
export { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from './conv-transpose.js';
export type { DropoutOptions } from './dropout.js';
export { Dropout } from './dropout.js';
export { Flatten } from './flatten.js';
export { foldBatchNorm } from './fold.js';
export type { LinearOptions } from './linear.js';
export { Linear } from './linear.js';
export type { LinearizeOptions } from './linearize.js';
export { linearize } from './linearize.js';
export type { CrossEntropyOptions, Labels, Loss } from './losses.js';
export { crossEntropyLoss, l1Penalty, mseLoss } from './losses.js';
export type { LoadedState, LoadStateOptions, Parameter, StateBuffer } from './module.js';
export { Module } from './module.js';
export { AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d } from './pool.js';
export { ReLU } from './relu.js';
export { Residual } from './residual.js';
export { Sequential } from './sequential.js';
export type { SparseLinearOptions } from './sparse-linear.js';
export { SparseLinear } from './sparse-linear.js';
export type { Summary, SummaryRow } from './summary.js';
