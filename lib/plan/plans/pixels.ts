/** Interleaved pixels to planes and back, with every number derived: what a backend runs. */
import type { FloatDType } from '../../tensor/dtype.js';

/** The types that pixels come in. */
export type PixelDType = 'uint8' | 'uint16' | 'float32';

/** What full intensity, and full opacity, is in each. */
export const LARGEST: Readonly<Record<PixelDType, number>> = { uint8: 255, uint16: 65535, float32: 1 };

/** A plane that is the luma of the first three channels: Rec. 709. */
export const LUMA = -1;
export const LUMA_WEIGHTS = [0.2126, 0.7152, 0.0722] as const;

/** A plane holds (value·scale − mean)·inverseStd of a channel, computed in float64 and rounded once. */
export interface PlaneSource {
  /** A channel of the pixels, or LUMA. */
  readonly channel: number;
  /** Whether the value is multiplied by the pixel's opacity first. */
  readonly premultiplied: boolean;
  readonly scale: number;
  readonly mean: number;
  readonly inverseStd: number;
}

export interface FromPixelsPlan {
  readonly dtype: PixelDType;
  /** Pixels. */
  readonly count: number;
  /** 1 to 4, interleaved. */
  readonly channels: number;
  /** The channel of opacity; −1 when no plane asks for it. */
  readonly alpha: number;
  readonly planes: readonly PlaneSource[];
}

/**
 * A pixel's channel is value·scale + offset, for integers rounded half to even and saturated, NaN becoming 0. With an
 * alpha channel the others are divided by the opacity first, and 0 where that is 0.
 */
export interface ToPixelsPlan {
  readonly from: FloatDType;
  readonly to: PixelDType;
  readonly count: number;
  readonly channels: number;
  readonly alpha: number;
  readonly scale: number;
  readonly offset: number;
}
