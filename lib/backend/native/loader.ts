/** Finds the addon for this machine: a local build first, then the prebuilt binary. «Missing» is not «broken». */

import { messageOf } from '../../errors.js';
import type { NativeAddon } from './addon.js';
import { LOCAL, pathOf, requireBinary } from './binaries.cjs';
import { differingPlan } from './differing.js';
import { refuseTruncated } from './truncated.js';

/** The addon, or why there is none. `cause` is the error of one that is there but does not load. */
export type Loaded =
  | { readonly addon: NativeAddon; readonly from: string }
  | { readonly addon?: undefined; readonly reason: string; readonly cause?: unknown };

export function loadAddon(): Loaded {
  const local = attempt(LOCAL);
  if (local !== null) return local;
  const target = `${process.platform}-${process.arch}`;
  return attempt(target) ?? { reason: `there is no binary for ${target}, neither built here nor prebuilt` };
}

/** Null when there is no such binary. */
function attempt(name: string): Loaded | null {
  try {
    refuseTruncated(pathOf(name));
    const addon = requireBinary(name);
    const differing = addon === null ? null : differingPlan(addon);
    if (differing === null) return addon === null ? null : { addon, from: name };
    return {
      reason: `the binary in ${name} is of another version of convmat (its ${differing} differ): rebuild it`,
    };
  } catch (error) {
    return { reason: `the binary in ${name} does not load: ${messageOf(error)}`, cause: error };
  }
}
