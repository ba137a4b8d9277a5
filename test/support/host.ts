/** What tests ask of Node.js. In browsers, test/browser puts another module in this one's place. */
import { appendFileSync } from 'node:fs';

export const variables: Readonly<Record<string, string | undefined>> = process.env;

/** Whether this is Node.js, with its Buffer, and memory that can be measured. */
export const isNode = true;

/** Adds a line to a file. */
export function report(file: string, line: string): void {
  appendFileSync(file, `${line}\n`);
}
