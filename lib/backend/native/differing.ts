/** What TypeScript and compiled code must have alike: the lists of fields and values that plans cross by. */
import {
  CONV_PLAN_FIELDS,
  ENUMERATIONS,
  FIXED_PLAN_FIELDS,
  INTEGER_PLAN_FIELDS,
  POOL_PLAN_FIELDS,
} from '../../plan/plans/wire.js';
import { STEP_ENUMERATIONS } from '../steps.js';
import type { NativeAddon } from './addon.js';

/** The kind of plan, or the enumeration in them, that the addon reads differently; null when they agree. */
export function differingPlan(addon: NativeAddon): string | null {
  const same = (a: readonly string[] | undefined, b: readonly string[]) => a?.join() === b.join();
  if (!same(addon.convPlanFields, CONV_PLAN_FIELDS)) return 'convolution plans';
  if (!same(addon.integerPlanFields, INTEGER_PLAN_FIELDS)) return 'integer plans';
  if (!same(addon.poolPlanFields, POOL_PLAN_FIELDS)) return 'pooling plans';
  if (!same(addon.fixedPlanFields, FIXED_PLAN_FIELDS)) return 'fixed-point plans';
  if (addon.isas.some((isa) => addon.tuning?.[isa] === undefined)) return 'sizes of loops';
  for (const [name, values] of Object.entries({ ...ENUMERATIONS, ...STEP_ENUMERATIONS })) {
    if (!same(addon.enumerations?.[name], values)) return `values of ${name}`;
  }
  return null;
}
