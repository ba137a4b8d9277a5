/** What tests import from vitest, in a browser: its own runner, assertions and spies, without the process around them. */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  GLOBAL_EXPECT,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect';
import { restoreAllMocks, spyOn } from '@vitest/spy';

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, test } from '@vitest/runner';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

const assertions = (value: unknown, message?: string) => chai.expect(value, message);
Object.assign(assertions, chai.expect, Reflect.get(globalThis, ASYMMETRIC_MATCHERS_OBJECT), {
  getState: () => getState(expect),
  setState: (state: object) => setState(state, expect),
});
export const expect = assertions as unknown as Parameters<typeof getState>[0];
// Matchers look for what `expect` knows under this name.
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, configurable: true });
setState({ assertionCalls: 0, isExpectingAssertions: false }, expect);
const extensible = chai.expect as unknown as { extend(target: object, matchers: object): void };
extensible.extend(expect, customMatchers);

export const vi = { spyOn, restoreAllMocks };
