/** `convmat matrix`: the matrix of a convolution, printed or as a file. */
import { Command, Option } from 'commander';
import { ArgumentError, MemoryError } from '../errors.js';
import { type Pieces, writeFile } from '../io/files.js';
import { deflated } from '../io/inflate.js';
import { npyPieces } from '../io/npy.js';
import { sparseNpzPieces } from '../io/sparse-npz.js';
import { matrixMarketPieces } from '../io/write-matrix-market.js';
import type { ConvMatrix } from '../matrix/conv-matrix.js';
import { convMatrix } from '../matrix/from-weight.js';
import type { Geometry } from '../plan/options/window.js';
import type { Tensor } from '../tensor/tensor.js';
import { quoted } from '../text.js';
import {
  GEOMETRY_FLAGS,
  geometryOf,
  geometryOptions,
  inFlags,
  KERNEL_FORMS,
  parseShape,
  readKernel,
} from './arguments.js';
import { print, STANDARD_OUTPUT, writeStandardOutput } from './output.js';
import { withProgress } from './progress.js';

interface MatrixArguments extends Geometry {
  kernel: string;
  input: number[];
  output?: string;
  format?: string;
  json?: boolean;
}

/** What one terminal can show. */
const MOST_PRINTED = 10_000;

/** What is written of each kind of file; `done` is told the share that is. */
const FORMATS: Readonly<Record<string, (m: ConvMatrix, done: (share: number) => void) => Pieces>> = {
  npz: sparseNpzPieces,
  mtx: matrixMarketPieces,
  'mtx.gz': (m, done) => deflated(matrixMarketPieces(m, done), 'gzip'),
  npy: (m) => npyPieces(dense(m)),
  svg: (m) => [Buffer.from(m.spy({ format: 'svg' }))],
  png: (m) => [m.spy({ format: 'png' })],
};
const ENDINGS = Object.keys(FORMATS).map((format) => `.${format}`);

function dense(matrix: ConvMatrix): Tensor {
  try {
    return matrix.toDense();
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    const size = matrix.shape.join(' × ');
    throw new MemoryError(
      `--output: expected a matrix that fits in memory as .npy, which is dense, got ${size}: write .npz or .mtx`,
    );
  }
}

export function matrixCommand(): Command {
  const command = new Command('matrix')
    .description('the matrix B for which B·vec(input) = vec(convolution), printed or written to a file')
    .requiredOption('--kernel <kernel>', `${KERNEL_FORMS}: [k…] or [O, I, k…]`)
    .requiredOption('--input <shape>', 'of one input: HxW, or CxHxW', parseShape)
    .option(
      '-o, --output <file>',
      '.npz (for scipy.sparse), .mtx, .mtx.gz, .npy (dense), .svg or .png; - for standard output',
    )
    .addOption(
      new Option('--format <format>', 'where the ending does not say it; mtx for standard output').choices(
        Object.keys(FORMATS),
      ),
    )
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

/** What the library calls what the flags give. */
const FLAGS = { ...GEOMETRY_FLAGS, 'options.inputShape': '--input', weight: '--kernel', kernel: '--kernel' };

async function run(options: MatrixArguments): Promise<void> {
  const { output, input: inputShape, json } = options;
  const write = output === undefined ? undefined : FORMATS[formatOf(output, options.format)];
  const kernel = await readKernel(options.kernel);
  const matrix = await inFlags(FLAGS, () => convMatrix(kernel, { ...geometryOf(options), inputShape }));
  if (output === undefined || write === undefined) {
    print(json ? JSON.stringify(describe(matrix, true)) : drawn(matrix));
    return;
  }
  if (output === STANDARD_OUTPUT) {
    await writeStandardOutput(write(matrix, () => {}));
    return;
  }
  await withProgress(`writing ${output}`, (done) => writeFile(output, write(matrix, done)));
  if (json) print(JSON.stringify({ ...describe(matrix, false), output }));
  else print(`${output}: ${summary(matrix)}`);
}

/** By the flag, by the ending, or the one that a terminal can show. */
function formatOf(output: string, format: string | undefined): string {
  if (format !== undefined) return format;
  if (output === STANDARD_OUTPUT) return 'mtx';
  const ending = ENDINGS.findLast((known) => output.toLowerCase().endsWith(known));
  if (ending === undefined) {
    const expected = `a file ending in ${ENDINGS.join(', ')} (or --format)`;
    throw new ArgumentError(`--output: expected ${expected}, got ${quoted(output)}`);
  }
  return ending.slice(1);
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

function drawn(matrix: ConvMatrix): string {
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
