/** Standard output: results, and bytes where `-o -` asks for them. A reader that leaves early, such as `head`, is no failure. */

/** How the command line writes it. */
export const STANDARD_OUTPUT = '-';

const FAILED = 1;

let failure: NodeJS.ErrnoException | undefined;

/** What is left to be written when the reader is gone, or the disk behind it is full. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  failure ??= error;
});
// Nobody is left to be told.
process.stderr.on('error', () => {});

/** Writes a line of results. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes bytes, as fast as they are taken; ends early when nobody takes them. */
export async function writeStandardOutput(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  for await (const piece of pieces) {
    if (failure !== undefined) return;
    // The callback comes with an error, too: that has been noted.
    await new Promise<void>((resolve) => {
      process.stdout.write(piece, () => resolve());
    });
  }
}

/** Sets the exit code, once what was printed has been written or could not be. */
export async function endOutput(code: number): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.write('', () => resolve());
  });
  if (failure !== undefined && failure.code !== 'EPIPE') {
    process.stderr.write(`convmat: standard output: ${failure.message}\n`);
    code = FAILED;
  }
  process.exitCode = code;
}
