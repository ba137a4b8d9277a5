import type { ConvmatError } from 'convmat';
import { expect } from 'vitest';

type ErrorClass = new (message: string) => ConvmatError;

/** Expects a call to be refused with this class, its code, and a message that matches. */
export function expectRefusal(call: () => unknown, Class: ErrorClass, message: RegExp): void {
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Class);
  expect((thrown as ConvmatError).code).toBe(new Class('').code);
  expect((thrown as ConvmatError).message).toMatch(message);
}
