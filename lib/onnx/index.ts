/**
 * Networks: ONNX in, run, and written again. Also the subpath 'convmat/onnx'.
 *
 * @module
 */
export type { StepReport, StepTime } from '../graph/executable.js';
export type { Feeds } from './inputs.js';
export type { LinearizeOptions } from './linearize.js';
export { linearize } from './linearize.js';
export type { AffineStage, NetworkOutput, OtherStage, Stage, StageTerm, StageValue } from './linearized.js';
export { LinearizedNetwork } from './linearized.js';
export type { Node, ValueInfo } from './model.js';
export { Model } from './model.js';
export type { Network, NetworkExplanation, NetworkProfile, PrepareNetworkOptions } from './network.js';
export { prepareNetwork } from './network.js';
export type { ModelSource, ReadModelOptions, WriteModelOptions } from './read.js';
export { readModel, writeModel } from './read.js';
export type { Summary, SummaryRow } from './summary.js';
