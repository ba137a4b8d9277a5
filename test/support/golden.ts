import { readGolden } from './golden-files';

/** The dtypes that golden files hold, each with the array that carries it. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
};
export type GoldenDType = keyof typeof ARRAYS;
export type GoldenArray = InstanceType<(typeof ARRAYS)[GoldenDType]>;

/** A decoded tensor: acceptable wherever the library takes one. */
export interface GoldenTensor {
  readonly dtype: GoldenDType;
  readonly shape: readonly number[];
  readonly data: GoldenArray;
}

/** One problem and its answer. `args` holds the options of `call`, under the names of the public contract. */
export interface GoldenCase {
  readonly id: string;
  readonly call: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a call takes is known by its test, not by the reader
  readonly args: any;
  readonly tensors: Readonly<Record<string, GoldenTensor>>;
  readonly expected: Readonly<Record<string, GoldenTensor>>;
  /** Expectations that are plain JSON: numbers, lists. */
  // biome-ignore lint/suspicious/noExplicitAny: as args
  readonly plain: any;
}

export interface GoldenFamily {
  /** The program that computed the answers, with its version. */
  readonly source: string;
  readonly cases: readonly GoldenCase[];
}

interface Encoded {
  dtype: GoldenDType;
  shape: number[];
  data: string;
}

function isEncoded(value: unknown): value is Encoded {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'data' in value;
}

/** The files are little-endian, as is every machine that Node runs on with this library. */
function decode({ dtype, shape, data }: Encoded): GoldenTensor {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  return { dtype, shape, data: new ARRAYS[dtype](bytes.buffer) };
}

function decodeAll(values: Record<string, unknown>): Record<string, GoldenTensor> {
  const encoded = Object.entries(values).filter((entry): entry is [string, Encoded] => isEncoded(entry[1]));
  return Object.fromEntries(encoded.map(([name, value]) => [name, decode(value)]));
}

/** Reads test/golden/<family>.json; test/golden/README.md tells how the files are made. */
export function golden(family: string): GoldenFamily {
  const { source, cases } = JSON.parse(readGolden(family));
  return {
    source,
    // biome-ignore lint/suspicious/noExplicitAny: JSON
    cases: cases.map((one: any) => ({
      id: one.id,
      call: one.call,
      args: one.args,
      tensors: decodeAll(one.tensors),
      expected: decodeAll(one.expected),
      plain: Object.fromEntries(Object.entries(one.expected).filter(([, value]) => !isEncoded(value))),
    })),
  };
}
