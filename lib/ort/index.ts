/**
 * The names of onnxruntime-common over convmat's networks, so that a program changes one import:
 *
 *   import { InferenceSession, Tensor } from 'convmat/ort';   // was 'onnxruntime-node'
 */
export type {
  Feeds,
  Fetches,
  Results,
  RunOptions,
  SessionOptions,
  ValueMetadata,
} from './session.js';
export { InferenceSession } from './session.js';
export type { TensorData, TensorType } from './tensor.js';
export { Tensor } from './tensor.js';
