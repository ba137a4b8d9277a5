/** What the model measures by: nanoseconds of one core, for each instruction set. */
import type { NativeIsa } from '../isa.js';

/**
 * Nanoseconds, of a vector of float32 where nothing else is said; float64 has half the lanes. `call` is what a call takes
 * beside its work, `spill` and `leave` what a vector of a result takes that stays in no second-level cache, or in none.
 */
export interface Times {
  readonly core: {
    /** A multiply-add among many, and one that waits for the one before; a load. */
    readonly multiply: number;
    readonly latency: number;
    readonly load: number;
    /** A byte of weights that stay in no second-level cache. */
    readonly weightByte: number;
  };
  readonly direct: {
    /** A tile, and a run of up to four of them, begun and ended. */
    readonly tile: number;
    readonly run: number;
    /** A sum kept in between; a vector of results stored. */
    readonly sum: number;
    readonly store: number;
    /** A row of the frame that padded or strided input is copied to, and a vector of it. */
    readonly frameRow: number;
    readonly frame: number;
    /** A page met by a tile that others have driven out of the core's table. */
    readonly far: number;
    /** Rows of outputs that are shared out together. */
    readonly chunk: number;
    readonly weightByte: number;
    readonly spill: number;
    readonly leave: number;
    readonly call: number;
  };
  readonly im2col: {
    /** A tile begun and ended; a vector of its results stored. */
    readonly tile: number;
    readonly finish: number;
    /** A row of an image that is read where it lies, more than a row of a panel. */
    readonly far: number;
    /** A stretch of a panel's row found, once for all channels, and copied; a vector of it, and one with a stride. */
    readonly describe: number;
    readonly stretch: number;
    readonly pack: number;
    readonly strided: number;
    /** An image, or a group, begun and ended. */
    readonly image: number;
    readonly spill: number;
    readonly leave: number;
    readonly call: number;
  };
  readonly toeplitz: {
    /** How many loads one is that begins anywhere in a cache line, and one of a factor of a plane. */
    readonly straddle: number;
    readonly factor: number;
    /** A tile, a turn of tiles along a row, and a band of rows begun and ended; a vector of results stored. */
    readonly tile: number;
    readonly turn: number;
    readonly band: number;
    readonly store: number;
    /** A row gathered, a vector of it, and one with a stride; a band that is gathered at its borders. */
    readonly line: number;
    readonly gather: number;
    readonly strided: number;
    readonly border: number;
    /** A tap's places in the tables that a call makes. */
    readonly tap: number;
    readonly spill: number;
    readonly leave: number;
    readonly call: number;
  };
  readonly depthwise: {
    /** A load, and how many of them every second element takes. */
    readonly load: number;
    readonly even: number;
    readonly store: number;
    /** Columns of a vector down a plane. */
    readonly strip: number;
    readonly call: number;
  };
  readonly separable: {
    readonly straddle: number;
    /** A row between the two passes, and a vector of it. */
    readonly line: number;
    readonly copy: number;
    readonly call: number;
  };
  readonly winograd: {
    /** A point of a vector of channels, in or out, by the tile. */
    readonly transform2: number;
    readonly transform4: number;
    /** A panel of output channels begun and ended. */
    readonly panel: number;
    readonly call: number;
  };
  readonly fft: {
    /** A point in a pass of a tile's transform, or of a line's; gathered or delivered; a product of two. */
    readonly pass: number;
    readonly line: number;
    readonly point: number;
    readonly product: number;
    readonly call: number;
  };
}

/** One core of an Intel Xeon of 2023 (Sapphire Rapids), as its AVX2 runs. */
const AVX2: Times = {
  core: { multiply: 0.143, latency: 1.33, load: 0.132, weightByte: 0.0184 },
  direct: {
    tile: 0.846,
    run: 25.8,
    sum: 0.737,
    store: 0.352,
    frameRow: 1.6,
    frame: 1.78,
    far: 2.07,
    chunk: 214,
    weightByte: 0.0139,
    spill: 0.221,
    leave: 0.339,
    call: 246,
  },
  im2col: {
    tile: 3.42,
    finish: 0.972,
    far: 0.388,
    describe: 5.38,
    stretch: 0.887,
    pack: 1.23,
    strided: 2.11,
    image: 68.3,
    spill: 0.297,
    leave: 0.612,
    call: 316,
  },
  toeplitz: {
    straddle: 1.82,
    factor: 1.54,
    tile: 3.25,
    turn: 7.5,
    band: 80.1,
    store: 0.219,
    line: 5.96,
    gather: 1.1,
    strided: 2.76,
    border: 103,
    tap: 4.47,
    spill: 0.38,
    leave: 0.588,
    call: 700,
  },
  depthwise: { load: 0.155, even: 5.64, store: 1.59, strip: 5.67, call: 254 },
  separable: { straddle: 1.75, line: 6, copy: 1, call: 900 },
  winograd: { transform2: 1.24, transform4: 1.76, panel: 181, call: 282 },
  fft: { pass: 0.132, line: 0.173, point: 0.4, product: 0.177, call: 640 },
};

/**
 * Fitted by bench/fit.mjs to random geometries on one core of an Intel Xeon of 2023 (Sapphire Rapids: two units for 512
 * bits): AVX-512 to 1750 of them, AVX2 to 1300, generic to 850. Those of separable kernels are by hand, to five timings.
 * NEON's are AVX2's: cores of its class work on as many vectors at a time, only that these are half as
 * long, and so the same steps take the same time.
 */
export const TIMES: Readonly<Record<NativeIsa, Times>> = {
  avx512: {
    core: { multiply: 0.176, latency: 1.62, load: 0.188, weightByte: 0.0199 },
    direct: {
      tile: 1.91,
      run: 18.7,
      sum: 0.284,
      store: 1.25,
      frameRow: 2.17,
      frame: 0.717,
      far: 2.35,
      chunk: 208,
      weightByte: 0.0136,
      spill: 1.63,
      leave: 3.46,
      call: 187,
    },
    im2col: {
      tile: 12.6,
      finish: 0.972,
      far: 1.59,
      describe: 5.28,
      stretch: 1.17,
      pack: 1.49,
      strided: 2.72,
      image: 61.6,
      spill: 0.928,
      leave: 2.04,
      call: 316,
    },
    toeplitz: {
      straddle: 1.99,
      factor: 1.43,
      tile: 7.72,
      turn: 3.33,
      band: 51.8,
      store: 0.627,
      line: 5.68,
      gather: 2.5,
      strided: 6.17,
      border: 87.3,
      tap: 4.83,
      spill: 0.948,
      leave: 1.77,
      call: 700,
    },
    depthwise: { load: 0.21, even: 5.25, store: 1.89, strip: 5.02, call: 263 },
    separable: { straddle: 3, line: 8, copy: 2, call: 900 },
    winograd: { transform2: 2.02, transform4: 3.81, panel: 277, call: 237 },
    fft: { pass: 0.0798, line: 0.0945, point: 0.67, product: 0.19, call: 706 },
  },
  avx2: AVX2,
  neon: AVX2,
  generic: {
    core: { multiply: 0.239, latency: 1.18, load: 0.188, weightByte: 0.0165 },
    direct: {
      tile: 21.1,
      run: 21.2,
      sum: 0.107,
      store: 2.49,
      frameRow: 5.48,
      frame: 3.83,
      far: 1.71,
      chunk: 141,
      weightByte: 0.0445,
      spill: 0.01,
      leave: 0.35,
      call: 340,
    },
    im2col: {
      tile: 5.7,
      finish: 0.972,
      far: 0.29,
      describe: 6.01,
      stretch: 3.57,
      pack: 0.48,
      strided: 4.69,
      image: 94,
      spill: 0.01,
      leave: 0.72,
      call: 317,
    },
    toeplitz: {
      straddle: 1.78,
      factor: 2.79,
      tile: 1.44,
      turn: 9.14,
      band: 90.4,
      store: 0.131,
      line: 4.44,
      gather: 1.21,
      strided: 1.79,
      border: 182,
      tap: 2.6,
      spill: 0.271,
      leave: 0.413,
      call: 700,
    },
    depthwise: { load: 0.957, even: 3.52, store: 0.0101, strip: 162, call: 251 },
    separable: { straddle: 1.9, line: 8, copy: 1.2, call: 350 },
    winograd: { transform2: 2.47, transform4: 4.47, panel: 191, call: 490 },
    fft: { pass: 0.208, line: 0.247, point: 1.07, product: 0.336, call: 344 },
  },
};
