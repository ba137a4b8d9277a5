/** ONNX's own models of single operators, from Debian's libonnx-testdata: skipped by name where that is not installed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

interface Harness {
  readonly TEST_DATA: string;
  casesIn(folder: string): string[];
  runCase(folder: string, name: string): Promise<{ supported: boolean; reason: string | null }>;
}

const script = join(import.meta.dirname, '../../scripts/onnx-testdata.mjs');
const { TEST_DATA, casesIn, runCase } = (await import(pathToFileURL(script).href)) as Harness;

/** What does not give the data's results, and why not. */
const EXCEPTIONS: readonly (readonly [name: RegExp, reason: RegExp])[] = [
  [/STRING/, /string/],
  [/test_identity_(opt|sequence)$/, /type (optional|sequence)/],
  [/test_training_dropout(?!_zero)/, /training_mode false/],
  // The data are of another shape than the model says.
  [/castlike_.*BFLOAT16/, /"like".*expected shape \[3, 4\], got shape \[1\]/],
  // The data cut what does not fit bfloat16; rounding to the nearest is what ONNX says and onnxruntime does.
  [/FLOAT_to_BFLOAT16/, /0\.48046875, expected 0\.478515625/],
];

describe.skipIf(!existsSync(TEST_DATA))(`the models of ${TEST_DATA}`, () => {
  test('give the results of their data, but for those that are told here', async () => {
    let passed = 0;
    const wrong: string[] = [];
    for (const name of casesIn(TEST_DATA)) {
      const { supported, reason } = await runCase(TEST_DATA, name);
      if (!supported) continue;
      const expected = EXCEPTIONS.find(([pattern]) => pattern.test(name));
      if (reason === null && expected === undefined) passed++;
      else if (expected === undefined || reason === null || !expected[1].test(reason))
        wrong.push(`${name}: ${reason}`);
    }
    expect(wrong).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(782);
  });
});
