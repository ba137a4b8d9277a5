/** Networks that train: layers, losses, and the way from convolutions to fully-connected layers. */
export type { ConvLayerOptions } from './conv.js';
export { Conv1d, Conv2d, Conv3d } from './conv.js';
export { Flatten } from './flatten.js';
export type { LinearOptions } from './linear.js';
export { Linear } from './linear.js';
export { linearize } from './linearize.js';
export type { Loss } from './losses.js';
export { crossEntropyLoss, l1Penalty, mseLoss } from './losses.js';
export type { Parameter } from './module.js';
export { Module } from './module.js';
export { AvgPool2d, MaxPool2d } from './pool.js';
export { ReLU } from './relu.js';
export { Sequential } from './sequential.js';
export type { Summary, SummaryRow } from './summary.js';
