/** Choices that whoever runs the library forces, by variables of its environment, and what is said when they cannot be had. */
import { describe } from '../check.js';
import { ArgumentError, UnsupportedError } from '../errors.js';

/** Undefined when nothing is asked for. */
export function readChoice(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  choices: readonly string[],
): string | undefined {
  const value = env[name];
  if (value === undefined || value === '') return undefined;
  if (!choices.includes(value)) {
    throw new ArgumentError(`${name}: expected one of ${choices.join(', ')}, got ${describe(value)}`);
  }
  return value;
}

export function absentIsa(isa: string | undefined, present: string): UnsupportedError {
  return new UnsupportedError(
    `CONVMAT_ISA: expected an instruction set that can run here, got '${isa}'; ${present}`,
  );
}

export function doesNotLoad(backend: string, reason: string, cause: unknown): UnsupportedError {
  const remedy =
    'reinstall convmat, build it from a clone (https://github.com/convmat/convmat/blob/main/docs/install.md), or unset CONVMAT_BACKEND';
  return new UnsupportedError(
    `CONVMAT_BACKEND: expected the ${backend} backend to load, but ${reason}; ${remedy}`,
    { cause },
  );
}
