/**
 * Sizes of the native loops that the model of their time follows: the addon's own, by native/runtime/tuning.h and the tables
 * of native/isa.
 */

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
    /** Rows, or channels, that tiles have: n of them where bit n is set. */
    readonly counts: number;
    /** What the driver chooses a form by: a load and a broadcast, in products. */
    readonly load: number;
    readonly broadcast: number;
    readonly bandRows: number;
    readonly panelBytes: number;
    readonly gatheredChannels: number;
  };
}
