import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of test/golden/<family>.json. Where there are no files, in browsers, test/browser puts another in this one's place. */
export function readGolden(family: string): string {
  return readFileSync(join(__dirname, '..', 'golden', `${family}.json`), 'utf8');
}
