import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The addon as built here. */
export const binary = fileURLToPath(new URL('../../build/Release/convmat.node', import.meta.url));

/**
 * Tests of the addon are skipped, and show as skipped, where none was built; continuous integration builds it, so
 * that there they fail.
 */
export const withoutAddon = !existsSync(binary) && !process.env.CI;
