/**
 * What the model of time measures by: nanoseconds of one core, of a vector of float32 where nothing else is said; float64
 * has half the lanes. The constants of an algorithm are explained where its model reads them, in its own file. Those that
 * several know: `call` is what a call takes beside its work, `spill` and `leave` what a vector of a result takes that stays
 * in no second-level cache, or in none.
 */
import type { SimdIsa } from '../isa.js';
import { TIMED_AS } from '../isa-list.js';
import { FITTED } from './fitted.js';

export type Times = Omit<(typeof FITTED)['avx512'], 'origin'>;

/**
 * What an instruction set is timed as, which is another where it has not been measured itself. NEON's times are AVX2's:
 * cores of its class work on as many vectors at a time, only that these are half as long, and so the same steps take the
 * same time.
 */
export function timesOf(isa: SimdIsa): Times {
  return FITTED[TIMED_AS[isa]];
}

/** Of linear convolutions on the native backend, whatever its instruction set. */
export const LINEAR_TIMES: Omit<(typeof FITTED)['linear'], 'origin'> = FITTED.linear;

export const JS_TIMES: Omit<(typeof FITTED)['js'], 'origin'> = FITTED.js;
