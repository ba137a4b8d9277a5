/** Models made for a test, node by node: the encoder is the library's own, so that readers of others must agree elsewhere. */
import {
  encodeModel,
  type FileAttribute,
  type FileNode,
  type FileValue,
  join,
} from '../../dist/onnx-file/file.js';
import { FileTensor } from '../../dist/onnx-file/file-tensor.js';

type Shape = readonly (number | string | null)[];

/** TensorProto.DataType by ONNX's names. */
export const TYPES = {
  float: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
} as const;
export type TypeName = keyof typeof TYPES;

export function value(name: string, shape: Shape, type: TypeName = 'float'): FileValue {
  return { name, typeNumber: TYPES[type], kind: 'tensor', message: null, shape };
}

export function tensor(
  name: string,
  dims: readonly number[],
  values: readonly (number | bigint)[],
  type: TypeName = 'float',
): FileTensor {
  return new FileTensor('test', name, dims, TYPES[type], { kind: 'list', values });
}

export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, FileAttribute>> = {},
  name = '',
): FileNode {
  return { name, opType, domain: '', inputs, outputs, attributes: new Map(Object.entries(attributes)) };
}

export interface TestModel {
  readonly nodes: readonly FileNode[];
  readonly inputs: readonly FileValue[];
  readonly outputs: readonly FileValue[];
  readonly initializers?: readonly FileTensor[];
  readonly opset?: number;
}

export function modelBytes({ nodes, inputs, outputs, initializers = [], opset = 17 }: TestModel): Uint8Array {
  return join(
    encodeModel({
      irVersion: 8,
      producer: 'test',
      producerVersion: '',
      opsets: new Map([['', opset]]),
      graph: { name: 'test', nodes, initializers, inputs, outputs, sparse: [], rest: [] },
      rest: [],
    }),
  );
}
