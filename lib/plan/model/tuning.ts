/** Sizes of the native loops that the model of their time follows. */
import type { NativeIsa } from '../isa.js';

export interface Tuning {
  /** float32 elements of a vector. */
  readonly lanes: number;
  /** Tiles of a product, rows by vectors; the wide ones serve few rows. Rows of B per block. */
  readonly gemm: {
    readonly rows: number;
    readonly vectors: number;
    readonly wideRows: number;
    readonly wideVectors: number;
    readonly blockRows: number;
  };
  /** Passes over an image from which it is packed, although it could be read where it lies. */
  readonly lowered: { readonly inPlacePasses: number };
  readonly direct: {
    readonly vectors: number;
    readonly sums: number;
    readonly pixels: number;
    /** Products that are summed in one go. */
    readonly blockTaps: number;
    /** Tiles of a run. */
    readonly runTiles: number;
    /** Bytes of input that a chunk reads; and where a group's weights stay near. */
    readonly inputBytes: number;
    readonly nearInputBytes: number;
  };
  readonly depthwise: { readonly rows: number };
  /** Rows that are summed along together. */
  readonly separable: { readonly lines: number };
  readonly toeplitz: {
    readonly sums: number;
    /** What the driver chooses a form by: a load and a broadcast, in products. */
    readonly load: number;
    readonly broadcast: number;
    readonly bandRows: number;
    readonly panelBytes: number;
    readonly gatheredChannels: number;
  };
}

const DRIVERS = {
  lowered: { inPlacePasses: 7 },
  separable: { lines: 2 },
  toeplitz: {
    sums: 8,
    load: 1.7,
    broadcast: 0.5,
    bandRows: 24,
    panelBytes: 192 * 2 ** 10,
    gatheredChannels: 8,
  },
} as const;
const DIRECT = {
  blockTaps: 256,
  runTiles: 4,
  inputBytes: 768 * 2 ** 10,
  nearInputBytes: 96 * 2 ** 10,
} as const;

export const TUNING: Readonly<Record<NativeIsa, Tuning>> = {
  avx512: {
    lanes: 16,
    gemm: { rows: 14, vectors: 2, wideRows: 6, wideVectors: 4, blockRows: 384 },
    direct: { vectors: 4, sums: 28, pixels: 14, ...DIRECT },
    depthwise: { rows: 7 },
    ...DRIVERS,
  },
  avx2: {
    lanes: 8,
    gemm: { rows: 6, vectors: 2, wideRows: 3, wideVectors: 4, blockRows: 384 },
    direct: { vectors: 2, sums: 12, pixels: 12, ...DIRECT },
    depthwise: { rows: 7 },
    ...DRIVERS,
  },
  neon: {
    lanes: 4,
    gemm: { rows: 8, vectors: 3, wideRows: 4, wideVectors: 6, blockRows: 384 },
    direct: { vectors: 4, sums: 24, pixels: 12, ...DIRECT },
    depthwise: { rows: 7 },
    ...DRIVERS,
  },
  generic: {
    lanes: 4,
    gemm: { rows: 4, vectors: 2, wideRows: 2, wideVectors: 4, blockRows: 384 },
    direct: { vectors: 2, sums: 8, pixels: 8, ...DIRECT },
    depthwise: { rows: 2 },
    ...DRIVERS,
  },
};
