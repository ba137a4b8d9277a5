/**
 * The kernels and core in WebAssembly, as one instance: copies operands into its memory, calls, and copies results out.
 * native/wasm/module.cc is the other side.
 *
 * Nobody else sees its memory, which grows as it is needed and is used again: a view of it would be detached by growth.
 */

import { now } from '#host';
import { ArgumentError, ConvmatError, MemoryError } from '../../errors.js';
import type { Tuning } from '../../plan/model/tuning.js';
import { DTYPES, dtypeOf, type TypedArray, viewOf } from '../../tensor/dtype.js';

/** A compiled file, which all threads may share. */
export type WasmModule = object;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly __stack_pointer: { value: number };
  readonly _initialize: () => void;
  /** 0 when there is none. */
  readonly allocate: (bytes: number) => number;
  readonly release: (address: number) => void;
  /** A {@link STATUS}. */
  readonly call: (place: number, values: number, count: number) => number;
  readonly result: () => number;
  readonly message: () => number;
  readonly describe: () => number;
}

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: Exports };
  readonly validate: (bytes: Uint8Array) => boolean;
};

/** What a call brings: lists are of arrays or numbers. */
export type Argument = number | boolean | null | TypedArray | readonly (number | TypedArray)[];

/** Where an argument's memory goes: in, out, or both ways. */
export interface Directions {
  /** Places of arguments that are written, and not read. */
  readonly out?: readonly number[];
  /** Places of arguments that are read and written. */
  readonly both?: readonly number[];
  /** Places of arguments that are memory to work in, whose contents are nobody's. */
  readonly scratch?: readonly number[];
}

/** Of itself, as the addon tells of itself. */
export interface Description {
  readonly isas: readonly string[];
  readonly functions: readonly string[];
  readonly convPlanFields: readonly string[];
  readonly integerPlanFields: readonly string[];
  readonly poolPlanFields: readonly string[];
  readonly fixedPlanFields: readonly string[];
  readonly enumerations: Readonly<Record<string, readonly string[]>>;
  readonly tuning: Tuning;
}

const STATUS = { done: 0, refused: 1, outOfMemory: 2 };

// A value of native/door/wasm.h.
const VALUE_BYTES = 24;
const KIND = { null: 0, number: 1, array: 2, list: 3 };
const LINE = 64;
/** The most that is kept between calls. */
const KEPT_BYTES = 2 ** 25;
const MOST_BYTES = 2 ** 32 - 2 ** 17;

/** Throws where WebAssembly is missing, forbidden, or lacks an instruction that the file has. */
export function compile(bytes: Uint8Array): WasmModule {
  return new WebAssembly.Module(bytes);
}

/** Whether there is a WebAssembly that knows all instructions of these bytes. */
export function validates(bytes: Uint8Array): boolean {
  return typeof WebAssembly === 'object' && WebAssembly.validate(bytes);
}

export class Instance {
  readonly description: Description;
  readonly #exports: Exports;
  readonly #places: ReadonlyMap<string, number>;
  #bytes: Uint8Array;
  #words: Int32Array;
  #numbers: Float64Array;
  #staging = { address: 0, bytes: 0 };

  constructor(module: WasmModule) {
    const imports = {
      clock_time_get: (_clock: number, _precision: bigint, to: number) => this.#clock(to),
      // The C++ library's last words, which nobody would read.
      ...{ fd_close: failing, fd_seek: failing, fd_write: failing },
    };
    this.#exports = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports }).exports;
    const { buffer } = this.#exports.memory;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#numbers = new Float64Array(buffer);
    this.#exports._initialize();
    this.description = JSON.parse(this.#textAt(this.#exports.describe()));
    this.#places = new Map(this.description.functions.map((name, place) => [name, place]));
  }

  /** Bytes of its memory, which never shrinks. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /**
   * Calls a function of native/wasm/module.cc.
   *
   * @throws {ArgumentError} when it refuses its arguments, {MemoryError} when there is not enough memory.
   */
  call(name: string, args: readonly Argument[], directions: Directions = {}): number {
    const place = this.#places.get(name);
    if (place === undefined) throw new ConvmatError(`WebAssembly has no function ${name}`);
    const bytes = bytesOf(args);
    const address = this.#stage(bytes);
    try {
      this.#write(args, address, directions);
      const status = this.#enter(place, address, args.length);
      if (status !== STATUS.done) throw this.#failure(status);
      this.#readBack(args, address, directions);
      return this.#exports.result();
    } finally {
      if (this.#staging.bytes > KEPT_BYTES) this.#dropStaging();
    }
  }

  /** What is thrown through compiled frames (a stack that overflows) leaves the stack of its memory where it was. */
  #enter(place: number, address: number, count: number): number {
    const { __stack_pointer: stack } = this.#exports;
    const before = stack.value;
    try {
      return this.#exports.call(place, address, count);
    } catch (error) {
      stack.value = before;
      throw error;
    }
  }

  #failure(status: number): ConvmatError {
    if (status === STATUS.outOfMemory) return noMemory();
    const message = this.#textAt(this.#exports.message());
    return status === STATUS.refused ? new ArgumentError(message) : new ConvmatError(message);
  }

  #stage(bytes: number): number {
    if (bytes > MOST_BYTES) throw noMemory();
    if (this.#staging.bytes < bytes) {
      this.#dropStaging();
      const address = this.#exports.allocate(bytes) >>> 0;
      if (address === 0) throw noMemory();
      this.#staging = { address, bytes };
    }
    return this.#staging.address;
  }

  #dropStaging(): void {
    this.#exports.release(this.#staging.address);
    this.#staging = { address: 0, bytes: 0 };
  }

  #refresh(): void {
    const { buffer } = this.#exports.memory;
    if (this.#bytes.buffer === buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#numbers = new Float64Array(buffer);
  }

  /** Values from `address` on, then what they refer to, each on a cache line of its own. */
  #write(args: readonly Argument[], address: number, { out = [], scratch = [] }: Directions): void {
    this.#refresh();
    const isRead = (place: number): boolean => !out.includes(place) && !scratch.includes(place);
    let next = address + lines(args.length * VALUE_BYTES);
    const writeArray = (at: number, array: TypedArray, copied: boolean): void => {
      const dtype = dtypeOf(array);
      this.#value(at, KIND.array, dtype === undefined ? -1 : DTYPES.indexOf(dtype), array.length, next);
      if (copied) this.#bytes.set(bytesIn(array), next);
      next += lines(array.byteLength);
    };
    for (const [i, arg] of args.entries()) {
      const at = address + i * VALUE_BYTES;
      if (arg === null) this.#value(at, KIND.null, 0, 0, 0);
      else if (typeof arg === 'number' || typeof arg === 'boolean') this.#number(at, Number(arg));
      else if (!isList(arg)) writeArray(at, arg, isRead(i));
      else {
        const list = next;
        this.#value(at, KIND.list, 0, arg.length, list);
        next += lines(arg.length * VALUE_BYTES);
        for (const [k, item] of arg.entries()) {
          const itemAt = list + k * VALUE_BYTES;
          if (typeof item === 'number') this.#number(itemAt, item);
          else writeArray(itemAt, item, isRead(i));
        }
      }
    }
  }

  #value(at: number, kind: number, arrayKind: number, length: number, data: number): void {
    const word = at / 4;
    this.#words[word] = kind;
    this.#words[word + 1] = arrayKind;
    this.#words[word + 2] = length;
    this.#words[word + 3] = data;
  }

  #number(at: number, number: number): void {
    this.#value(at, KIND.number, 0, 0, 0);
    this.#numbers[at / 8 + 2] = number;
  }

  #readBack(args: readonly Argument[], address: number, { out = [], both = [] }: Directions): void {
    if (out.length + both.length === 0) return;
    this.#refresh();
    const read = (array: TypedArray, from: number): void => {
      bytesIn(array).set(this.#bytes.subarray(from, from + array.byteLength));
    };
    const dataAt = (at: number): number => this.#words[at / 4 + 3] >>> 0;
    for (const i of [...out, ...both]) {
      const arg = args[i];
      const data = dataAt(address + i * VALUE_BYTES);
      if (arg === null || typeof arg !== 'object') continue;
      if (!isList(arg)) read(arg, data);
      else
        for (const [k, item] of arg.entries())
          if (typeof item !== 'number') read(item, dataAt(data + k * VALUE_BYTES));
    }
  }

  #textAt(address: number): string {
    this.#refresh();
    const end = this.#bytes.indexOf(0, address);
    let text = '';
    for (const byte of this.#bytes.subarray(address, end)) text += String.fromCharCode(byte);
    return text;
  }

  /** clock_time_get of WASI: nanoseconds. */
  #clock(address: number): number {
    this.#refresh();
    new BigInt64Array(this.#bytes.buffer, address, 1)[0] = BigInt(Math.round(now() * 1e6));
    return 0;
  }
}

/** EBADF of WASI. */
function failing(): number {
  return 8;
}

function isList(arg: TypedArray | readonly unknown[]): arg is readonly (number | TypedArray)[] {
  return Array.isArray(arg);
}

function lines(bytes: number): number {
  return Math.ceil(bytes / LINE) * LINE;
}

/** What `#write` fills. */
function bytesOf(args: readonly Argument[]): number {
  let bytes = lines(args.length * VALUE_BYTES);
  for (const arg of args) {
    if (arg === null || typeof arg !== 'object') continue;
    if (!isList(arg)) bytes += lines(arg.byteLength);
    else {
      bytes += lines(arg.length * VALUE_BYTES);
      for (const item of arg) if (typeof item !== 'number') bytes += lines(item.byteLength);
    }
  }
  return bytes;
}

function noMemory(): MemoryError {
  return new MemoryError('workspace: expected enough memory, got an allocation that failed');
}

/** @throws {ArgumentError} when the memory has been taken away. */
function bytesIn(array: TypedArray): Uint8Array {
  // What is of no dtype is refused on the other side.
  const { buffer, byteOffset, byteLength } = dtypeOf(array) === undefined ? array : viewOf(array);
  return new Uint8Array(buffer, byteOffset, byteLength);
}
