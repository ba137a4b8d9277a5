/** Parses, runs a command, and tells of errors in a line. Exit codes: 0 done, 1 refused or failed, 2 misused. */
import { Command, CommanderError } from 'commander';
import { ConvmatError } from '../errors.js';
import { printable } from '../text.js';
import { VERSION } from '../version.js';
import { applyCommand } from './apply.js';
import { doctorCommand } from './doctor.js';
import { explainCommand } from './explain.js';
import { inspectCommand } from './inspect.js';
import { linearizeCommand } from './linearize.js';
import { matrixCommand } from './matrix.js';
import { profileCommand } from './profile.js';
import { runCommand } from './run.js';

const DONE = 0;
const FAILED = 1;
const MISUSED = 2;

/** In the order of the help. A command is a file that makes one. */
const COMMANDS: readonly (() => Command)[] = [
  matrixCommand,
  explainCommand,
  applyCommand,
  inspectCommand,
  runCommand,
  profileCommand,
  linearizeCommand,
  doctorCommand,
];

const LONGEST_LINE = 1000;

export async function runProgram(argv: readonly string[]): Promise<number> {
  const program = new Command('convmat')
    .description(
      'Convolution as matrices: the matrix of a convolution, what it costs, convolved images, and networks',
    )
    .version(VERSION)
    .addHelpText(
      'after',
      `
Examples:
  $ convmat matrix --kernel '[[1,2],[3,4]]' --input 3x3
  $ convmat explain --input 1x3x32x32 --weight 32x3x3x3
  $ convmat apply photo.jpg --kernel gaussian:3 -o blurred.png
  $ convmat run model.onnx --input photo.jpg`,
    )
    .configureOutput({
      outputError: (text, write) => write(`convmat: ${printable(text.trim(), LONGEST_LINE)}\n`),
    })
    .exitOverride();
  for (const make of COMMANDS) program.addCommand(make().exitOverride().copyInheritedSettings(program));
  try {
    await program.parseAsync(argv);
    return DONE;
  } catch (error) {
    // Commander has said what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : MISUSED;
    if (!(error instanceof ConvmatError) && !isSystemError(error)) throw error;
    process.stderr.write(`convmat: ${printable(error.message, LONGEST_LINE)}\n`);
    return FAILED;
  }
}

/** Of files that are missing, not to be read, or on a full disk. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
