#!/usr/bin/env node
/**
 * The `convmat` command. Everything is loaded from here, so that what a wrong variable of the environment makes the library
 * refuse is a line, as every error is.
 */
import { endOutput } from './output.js';

async function main(): Promise<number> {
  try {
    const { runProgram } = await import('./program.js');
    return await runProgram(process.argv);
  } catch (error) {
    const { message, stack } = error as Error & { code?: unknown };
    const isOwn = String((error as { code?: unknown }).code).startsWith('ERR_CONVMAT');
    process.stderr.write(`convmat: ${isOwn ? message : `unexpected: ${stack}`}\n`);
    return 1;
  }
}

main().then(endOutput);
