/** test/support/host.ts, in a browser: no variables, no files, nothing of Node.js. */
export const variables: Readonly<Record<string, string | undefined>> = {};

export const isNode = false;

export function report(file: string): void {
  throw new Error(`${file}: a browser has no files`);
}
