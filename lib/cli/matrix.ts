/** `convmat matrix`: the matrix of a convolution, printed or as a file. */
import { extname } from 'node:path';
import { Command } from 'commander';
import { ArgumentError } from '../errors.js';
import { writeFile } from '../io/files.js';
import { writeNpy } from '../io/npy.js';
import { writeSparseNpz } from '../io/sparse-npz.js';
import { writeMatrixMarket } from '../io/write-matrix-market.js';
import { type ConvMatrix, convMatrix } from '../matrix/conv-matrix.js';
import type { Geometry } from '../plan/options/window.js';
import { geometryOf, geometryOptions, parseShape, readKernel } from './arguments.js';
import { withProgress } from './progress.js';

interface MatrixArguments extends Geometry {
  kernel: string;
  input: number[];
  output?: string;
  json?: boolean;
}

/** What one terminal can show. */
const MOST_PRINTED = 10_000;

/** One writer per kind of file; `done` is told the share that is written. */
const WRITERS: Readonly<
  Record<string, (path: string, m: ConvMatrix, done: (share: number) => void) => Promise<void>>
> = {
  '.npz': (path, m, done) => writeSparseNpz(path, m.toCSR(), { onProgress: done }),
  '.mtx': (path, m, done) => writeMatrixMarket(path, m, { onProgress: done }),
  '.npy': (path, m) => writeNpy(path, m.toDense()),
  '.svg': (path, m) => writeFile(path, [Buffer.from(m.spy({ format: 'svg' }))]),
  '.png': (path, m) => writeFile(path, [m.spy({ format: 'png' })]),
};

export function matrixCommand(): Command {
  const command = new Command('matrix')
    .description('the matrix B for which B·vec(input) = vec(convolution), printed or written to a file')
    .requiredOption('--kernel <kernel>', 'inline, as in [[1,2],[3,4]], or an .npy file: [k…] or [O, I, k…]')
    .requiredOption('--input <shape>', 'of one input: HxW, or CxHxW', parseShape)
    .option('-o, --output <file>', '.npz (for scipy.sparse), .mtx, .npy (dense), .svg or .png')
    .option('--json', 'print JSON');
  return geometryOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ convmat matrix --kernel '[[1,2],[3,4]]' --input 3x3
  $ convmat matrix --kernel blur.npy --input 512x512 --padding same --padding-mode circular -o B.npz
  $ convmat matrix --kernel '[[1,2],[3,4]]' --input 3x3 -o B.svg`,
    )
    .action(run);
}

async function run(options: MatrixArguments): Promise<void> {
  const kernel = await readKernel(options.kernel);
  const matrix = convMatrix(kernel, { ...geometryOf(options), inputShape: options.input });
  const { output } = options;
  if (output === undefined) {
    console.log(options.json ? JSON.stringify(describe(matrix, true)) : print(matrix));
    return;
  }
  const write = WRITERS[extname(output)];
  if (write === undefined) {
    throw new ArgumentError(
      `--output: expected a file ending in ${Object.keys(WRITERS).join(', ')}, got ${output}`,
    );
  }
  await withProgress(`writing ${output}`, (done) => write(output, matrix, done));
  if (options.json) console.log(JSON.stringify({ ...describe(matrix, false), output }));
  else console.log(`${output}: ${summary(matrix)}`);
}

function describe(matrix: ConvMatrix, entries: boolean) {
  const { shape, inputShape, outputShape, nnz, density } = matrix;
  return {
    shape,
    inputShape,
    outputShape,
    nnz,
    density,
    ...(entries && { matrix: matrix.toDense().toNested() }),
  };
}

function summary({ shape, nnz, density, inputShape, outputShape }: ConvMatrix): string {
  const share = (100 * density).toPrecision(3);
  return `${shape[0]}×${shape[1]}, ${nnz} nonzero (${share} %), from [${inputShape.join(', ')}] to [${outputShape.join(', ')}]`;
}

function print(matrix: ConvMatrix): string {
  const [rows, cols] = matrix.shape;
  if (rows * cols > MOST_PRINTED) return `${summary(matrix)}\n(too large to print: write it with -o)`;
  const { data } = matrix.toDense();
  const cells = Array.from(data, (value) => (value === 0 ? '·' : String(Number(value.toPrecision(6)))));
  const width = Math.max(...cells.map((cell) => cell.length));
  const lines = Array.from({ length: rows }, (_, row) =>
    cells
      .slice(row * cols, (row + 1) * cols)
      .map((cell) => cell.padStart(width))
      .join(' '),
  );
  return [summary(matrix), '', ...lines].join('\n');
}
