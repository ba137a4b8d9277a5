/** ONNX's integer convolutions. */
export type { IntegerConvOptions, QLinearConvOptions } from './conv.js';
export { convInteger, qlinearConv } from './conv.js';
export type { PreparedQLinearConv, PrepareQLinearConvOptions } from './prepared.js';
export { prepareQLinearConv } from './prepared.js';
