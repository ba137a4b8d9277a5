/** The backend of this run beside every other that the machine has: the same bits where nothing rounds, else within rounding. */
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../dist/backend/native/loader.js';
import { wasmIsas } from '../../dist/backend/select.js';
import { runProgram } from '../support/program';
import { type Float, transformed } from '../support/tolerance';

interface Answers {
  readonly info: { readonly backend: string; readonly isa: string };
  readonly exact: Record<string, { readonly data: readonly number[] }>;
  readonly rounded: Record<string, { readonly dtype: Float; readonly data: readonly number[] }>;
}

function answersOf(backend: string, isa = ''): Answers {
  const program = new URL('./programs/answers.cjs', import.meta.url);
  return runProgram(program, { env: { CONVMAT_BACKEND: backend, CONVMAT_ISA: isa } }) as Answers;
}

// The longest sum of the program: over the batch and places of a weight gradient, of products below one.
const LONGEST = 2 * 15 * 17;
// Two backends differ by at most the error of either.
const tolerance = (dtype: Float) => 2 * transformed(LONGEST, dtype).factor * LONGEST;

const { CONVMAT_BACKEND = '', CONVMAT_ISA } = process.env;
const own = answersOf(CONVMAT_BACKEND, CONVMAT_ISA);
const isas: readonly string[] = loadAddon().addon?.isas ?? [];
const others = ['js', ...wasmIsas(), ...isas].filter((isa) => isa !== own.info.isa);

describe.each(others)('this backend and %s', (isa) => {
  const theirs = isa === 'js' ? answersOf('js') : answersOf(isas.includes(isa) ? 'native' : 'wasm', isa);

  test('are two', () => {
    expect(theirs.info.isa).toBe(isa);
    expect(own.info.isa).not.toBe(isa);
  });

  test.each(Object.keys(own.exact))('%s: the same bits', (name) => {
    expect(own.exact[name]).toEqual(theirs.exact[name]);
  });

  test.each(Object.keys(own.rounded))('%s: the same to rounding', (name) => {
    const [mine, other] = [own.rounded[name], theirs.rounded[name]];
    expect(mine.dtype).toBe(other.dtype);
    expect(mine.data.length).toBe(other.data.length);
    const worst = Math.max(...mine.data.map((value, i) => Math.abs(value - other.data[i])));
    expect(worst).toBeLessThanOrEqual(tolerance(mine.dtype));
  });
});
