/** ONNX's integer convolutions. */
export type { IntegerConvOptions, QLinearConvOptions } from './conv.js';
export { convInteger, qlinearConv } from './conv.js';
