/** What goes between a thread of JavaScript and the worker that computes for it. */
import { ConvmatError, messageOf } from '../../errors.js';
import { type DType, dtypeOf, isShared, type TypedArray, zeros } from '../../tensor/dtype.js';
import type { Argument, Directions, WasmModule } from './instance.js';

/** An array of this type and length that the call writes, instead of an argument. */
export interface Blank {
  readonly dtype: DType;
  readonly length: number;
}
export type RemoteArgument = Argument | Blank | readonly (TypedArray | Blank)[];

/** To the worker; the first one brings the file. */
export type Request =
  | { readonly module: WasmModule }
  | {
      readonly id: number;
      readonly name: string;
      readonly args: readonly RemoteArgument[];
      readonly directions: Directions;
    };

/** From it: that it is ready, or what came of a call. */
export type Reply =
  | { readonly ready: boolean }
  | { readonly id: number; readonly number: number; readonly arrays: readonly TypedArray[] }
  | { readonly id: number; readonly failure: Failure };

export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** An error as it crosses. */
export function failureOf(error: unknown): Failure {
  return { code: error instanceof ConvmatError ? error.code : '', message: messageOf(error) };
}

/** An argument with arrays in place of blanks: zeros, since nothing tells what a call leaves unwritten. */
export function filled(arg: RemoteArgument): Argument {
  if (arg === null || typeof arg !== 'object') return arg;
  if (Array.isArray(arg)) return arg.map((item) => (isBlank(item) ? zeros(item.dtype, item.length) : item));
  return isBlank(arg) ? zeros(arg.dtype, arg.length) : (arg as Argument);
}

export function blankOf(array: TypedArray): Blank {
  return { dtype: dtypeOf(array), length: array.length };
}

function isBlank(value: unknown): value is Blank {
  return typeof value === 'object' && value !== null && 'dtype' in value;
}

/** What can be handed over of these, each buffer once. */
export function buffersOf(values: readonly unknown[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const value of values) {
    if (!ArrayBuffer.isView(value)) continue;
    const { buffer } = value;
    if (!isShared(buffer)) buffers.add(buffer);
  }
  return [...buffers];
}
