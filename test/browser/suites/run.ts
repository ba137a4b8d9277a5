/** Runs suites of tests in the page, by vitest's runner, and tells how each ended. */
import { type File, startTests, type Task, type VitestRunner } from '@vitest/runner';
import { backendInfo } from 'convmat';
import { goldenIds, suites } from 'the-suites';
import { expect } from './vitest';

export interface Outcome {
  readonly passed: number;
  readonly skipped: number;
  /** Name and message of each test that failed. */
  readonly failed: readonly string[];
}

const runner: VitestRunner = {
  config: {
    root: '/',
    setupFiles: [],
    name: 'browser',
    passWithNoTests: false,
    testNamePattern: undefined,
    allowOnly: false,
    sequence: { seed: 1, hooks: 'stack', setupFiles: 'list' },
    chaiConfig: undefined,
    maxConcurrency: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 0,
    includeTaskLocation: false,
    tags: [],
    tagsFilter: undefined,
    strictTags: false,
  },
  importFile: (path) => suites[path](),
  onBeforeTryTask: (test) =>
    expect.setState({ currentTestName: test.fullTestName, testPath: test.file.filepath }),
};

function outcomeOf(file: File): Outcome {
  let [passed, skipped] = [0, 0];
  const failed: string[] = [];
  const walk = (task: Task): void => {
    const { state, errors = [] } = task.result ?? {};
    const messages = errors.map(({ message }) => message).join('; ');
    if (task.type === 'suite') {
      if (messages !== '') failed.push(`${task.name}: ${messages}`);
      task.tasks.forEach(walk);
    } else if (state === 'pass') passed += 1;
    else if (task.mode !== 'run' && state !== 'fail') skipped += 1;
    else failed.push(`${task.fullTestName}: ${messages}`);
  };
  walk(file);
  return { passed, skipped, failed };
}

const escaped = goldenIds.map((id) => id.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
/** Tests that are named after a golden case, in quotes as vitest puts them, with a comma and more behind it perhaps. */
const GOLDEN = new RegExp(`(^|[ >])'?(${escaped.join('|')})'?(,|$)`);

/** Runs one file of tests, by its path in the repository: all of them, or those of golden cases. */
async function runSuite(path: string, which: 'all' | 'golden'): Promise<Outcome> {
  runner.config.testNamePattern = which === 'golden' ? GOLDEN : undefined;
  const [file] = await startTests([path], runner);
  return outcomeOf(file);
}

Object.assign(globalThis, { runSuite, backendInfo });
