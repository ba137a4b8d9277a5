/** A convolution of 8-bit integers: the plan of its geometry, and what its dtypes and zero points add to it. */
import { product } from '../../numbers.js';
import { BYTE_RANGE, type ByteDType, DTYPES } from '../../tensor/dtype.js';
import type { ConvPlan } from './conv.js';

export interface IntegerGeometry {
  /** Forward, of the input's dtype. */
  readonly conv: ConvPlan;
  readonly weightDType: ByteDType;
  /** int32 for the sums themselves. */
  readonly outputDType: ByteDType | 'int32';
  /** Padding has this value, so that it adds nothing. */
  readonly inputZeroPoint: number;
  /** 0 for int32. */
  readonly outputZeroPoint: number;
}

export interface IntegerConvPlan extends IntegerGeometry {
  /** Whether 32 bits hold what is computed: the sums with their bias, or those modulo 2^32 that are wanted. */
  readonly narrow: boolean;
  /** The plan as it crosses to native code: INTEGER_PLAN_FIELDS. */
  readonly wire: Int32Array;
}

const MOST_INT32 = 2 ** 31 - 1;
/** The largest distance of an 8-bit weight from its zero point. */
const MOST_WEIGHT = 255;

/** @param mostBias  The largest magnitude of a bias; 0 for none. */
export function planInteger(geometry: IntegerGeometry, mostBias: number): IntegerConvPlan {
  const { conv, weightDType, outputDType, inputZeroPoint, outputZeroPoint } = geometry;
  const [min, max] = BYTE_RANGE[conv.dtype as ByteDType];
  const mostInput = Math.max(max - inputZeroPoint, inputZeroPoint - min);
  const products = product(conv.weightShape.slice(1));
  return Object.freeze({
    ...geometry,
    narrow: outputDType === 'int32' || products * mostInput * MOST_WEIGHT + mostBias <= MOST_INT32,
    wire: Int32Array.of(
      ...conv.wire,
      DTYPES.indexOf(weightDType),
      DTYPES.indexOf(outputDType),
      inputZeroPoint,
      outputZeroPoint,
    ),
  });
}
