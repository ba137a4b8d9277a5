#!/usr/bin/env node
/** The `convmat` command: parses, calls the public API, prints. Exit codes: 0 done, 1 refused or failed, 2 misused. */
import { Command, CommanderError } from 'commander';
import { ConvmatError } from '../errors.js';
import { backendInfo } from '../machine.js';
import { applyCommand } from './apply.js';
import { doctorCommand } from './doctor.js';
import { explainCommand } from './explain.js';
import { matrixCommand } from './matrix.js';

const FAILED = 1;
const MISUSED = 2;

async function main(): Promise<number> {
  const program = new Command('convmat')
    .description('Convolution as matrices: the matrix of a convolution, what it costs, and convolved images')
    .version(backendInfo().version)
    .addHelpText(
      'after',
      `
Examples:
  $ convmat matrix --kernel '[[1,2],[3,4]]' --input 3x3
  $ convmat explain --input 1x3x32x32 --weight 32x3x3x3
  $ convmat apply photo.jpg --kernel gaussian:3 -o blurred.png`,
    )
    .exitOverride();
  for (const command of [matrixCommand(), explainCommand(), applyCommand(), doctorCommand()]) {
    program.addCommand(command.exitOverride().copyInheritedSettings(program));
  }
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED;
    if (error instanceof ConvmatError || isSystemError(error)) {
      console.error(`convmat: ${error.message}`);
      return FAILED;
    }
    throw error;
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

// A reader that closes the pipe early, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

main().then((code) => {
  process.exitCode = code;
});
