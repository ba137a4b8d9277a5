/** What suites import from node:fs, node:os and node:path, where there are no files: paths that lead nowhere. */
export const tmpdir = (): string => '/nowhere';
export const mkdtempSync = (prefix: string): string => prefix;
export const rmSync = (): void => {};
export const join = (...parts: readonly string[]): string => parts.join('/');
