/** ONNX's element types: their numbers in a file, their names, and what their elements become here. */
import type { ElementType } from '../tensor/element-type.js';

export interface FileType {
  /** ONNX's name, in lower case as in its type strings: 'float', 'int64' … */
  readonly name: string;
  /** What holds the elements here; null for types that are not served. */
  readonly type: ElementType | null;
  /** Of one element in raw_data; 0 where elements have no fixed size of whole bytes. */
  readonly bytes: number;
}

/** By TensorProto.DataType. Source: onnx.proto, version 1.18. */
const FILE_TYPES: readonly FileType[] = [
  { name: 'undefined', type: null, bytes: 0 },
  { name: 'float', type: 'float32', bytes: 4 },
  { name: 'uint8', type: 'uint8', bytes: 1 },
  { name: 'int8', type: 'int8', bytes: 1 },
  { name: 'uint16', type: 'uint16', bytes: 2 },
  { name: 'int16', type: 'int16', bytes: 2 },
  { name: 'int32', type: 'int32', bytes: 4 },
  { name: 'int64', type: 'int64', bytes: 8 },
  { name: 'string', type: null, bytes: 0 },
  { name: 'bool', type: 'bool', bytes: 1 },
  { name: 'float16', type: 'float32', bytes: 2 },
  { name: 'double', type: 'float64', bytes: 8 },
  { name: 'uint32', type: 'uint32', bytes: 4 },
  { name: 'uint64', type: 'uint64', bytes: 8 },
  { name: 'complex64', type: null, bytes: 8 },
  { name: 'complex128', type: null, bytes: 16 },
  { name: 'bfloat16', type: 'float32', bytes: 2 },
  { name: 'float8e4m3fn', type: null, bytes: 1 },
  { name: 'float8e4m3fnuz', type: null, bytes: 1 },
  { name: 'float8e5m2', type: null, bytes: 1 },
  { name: 'float8e5m2fnuz', type: null, bytes: 1 },
  { name: 'uint4', type: null, bytes: 0 },
  { name: 'int4', type: null, bytes: 0 },
  { name: 'float4e2m1', type: null, bytes: 0 },
];

/** The type of a number that a file holds; a number that no version knows is a type that is not served. */
export function fileType(number: number): FileType {
  return FILE_TYPES[number] ?? { name: `type ${number}`, type: null, bytes: 0 };
}

/** The number under which elements of this type are written. */
export function typeNumberOf(type: ElementType): number {
  return FILE_TYPES.findIndex((candidate) => candidate.type === type);
}
