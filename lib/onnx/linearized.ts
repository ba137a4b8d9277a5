/** A network as stages: affine maps with their matrices, and operators by name. */

import { joinPath, makeFolder, pathOf, writeArray, writeFile, writeMatrix } from '#model-files';
import { bytesOfText } from '../bytes.js';
import { checkNumber, checkOptions } from '../check.js';
import { MemoryError } from '../errors.js';
import { allocate, isLong } from '../graph/elements.js';
import type { View } from '../graph/evaluate.js';
import type { Elements, ElementType, GraphNode } from '../graph/graph.js';
import { evaluateNode } from '../graph/operators/index.js';
import { sizeOf } from '../graph/shapes.js';
import type { LinearOperator, SparseFormats } from '../matrix/operator.js';
import { toInt32Tensor } from '../onnx-file/file-tensor.js';
import type { FloatArray } from '../tensor/dtype.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { denseModel, isIdentity } from './dense-model.js';
import { type Feeds, type NetworkInput, readFeeds } from './inputs.js';
import type { Model, Node } from './model.js';

/** One summand of an affine stage. */
export interface StageTerm {
  /** An input of the network, or the output of a stage before. */
  readonly input: string;
  /** [elements of the stage's output, elements of the input]. */
  readonly matrix: LinearOperator & SparseFormats;
}

/** output = Σ matrix·input + bias, on flattened values. */
export interface AffineStage {
  /** Tells it from an operator. */
  readonly kind: 'affine';
  /** Name of what it gives. */
  readonly output: string;
  /** Shape of what it gives, batch 1 included. */
  readonly outputShape: Shape;
  /** What is summed. */
  readonly terms: readonly StageTerm[];
  /** One for each element of the output. */
  readonly bias: FloatArray;
}

/** An operator that is not affine. */
export interface OtherStage {
  /** Tells it from an affine map. */
  readonly kind: 'operator';
  /** The operator, by ONNX's name. */
  readonly opType: string;
  /** As in the file. */
  readonly node: Node;
  /** Name of what it gives. */
  readonly output: string;
  /** Shape of what it gives, batch 1 included. */
  readonly outputShape: Shape;
  /** Inputs of the network, or outputs of stages before. */
  readonly inputs: readonly string[];
  /** What the node does, resolved. @internal */
  readonly graphNode: GraphNode;
  /** Its operands in order; constants have their elements. @internal */
  readonly operands: readonly (Operand | null)[];
  /** All that it gives, `output` first. @internal */
  readonly results: readonly (StageValue | null)[];
}

/** A tensor between stages. */
export interface StageValue {
  /** As in the file. */
  readonly name: string;
  /** Of its elements. */
  readonly type: ElementType;
  /** Batch 1 included. */
  readonly shape: Shape;
}

export interface Operand extends StageValue {
  readonly constant: Elements | null;
}

/** A tensor that a run gives. */
export interface NetworkOutput extends StageValue {
  /** The stage's output that it is. */
  readonly from: string;
}

/** One step of a network as matrices. */
export type Stage = AffineStage | OtherStage;

/**
 * A network as matrices, and what of it is not affine.
 *
 * @example
 *   const linear = await linearize('model.onnx');
 *   const { logits } = linear.run({ image });
 */
export class LinearizedNetwork {
  /** What a run takes. */
  readonly inputs: readonly StageValue[];
  /** What a run gives. */
  readonly outputs: readonly NetworkOutput[];
  /** In the order in which they run. */
  readonly stages: readonly Stage[];

  /** Made by linearize. */
  constructor(inputs: readonly StageValue[], outputs: readonly NetworkOutput[], stages: readonly Stage[]) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.stages = stages;
  }

  /** The network's outputs, computed by its stages. Inputs as for Network.run. */
  run(inputs: Feeds): Record<string, Tensor> {
    const taken = this.inputs.map(({ name, type, shape }): NetworkInput => ({ name, type, shape }));
    const values = readFeeds(taken, inputs);
    for (const stage of this.stages) {
      if (stage.kind === 'affine') values.set(stage.output, runAffine(stage, values));
      else runOther(stage, values);
    }
    return Object.fromEntries(
      this.outputs.map(({ name, from }) => {
        const { type, shape, data } = lookUp(values, from);
        return [name, isLong(type) ? toInt32Tensor(data, shape, name) : new Tensor(data.slice(), shape)];
      }),
    );
  }

  /**
   * An ONNX model of dense layers, for tools that know nothing else: each affine map is a Gemm with its bias (alpha = beta =
   * 1, transB = 1) and Adds, every value is flat, [1, n], and what is not affine stands directly behind. Operators that
   * need their shape, such as MaxPool, have a Reshape on either side.
   *
   * @param options.maxBytes  The most that the dense matrices may take together. Default 2 GiB, what one file may hold.
   * @throws {MemoryError} that names the matrices which are too large, before memory is taken; {UnsupportedError} for
   *   operators that this form has no place for.
   */
  toModel(options?: { readonly maxBytes?: number }): Model {
    const given = checkOptions(options, ['maxBytes']);
    const maxBytes = checkNumber(given.maxBytes ?? 2 ** 31 - 1, 'options.maxBytes', 0);
    const sizes = this.stages.flatMap((stage) =>
      stage.kind === 'affine'
        ? stage.terms.map(({ input, matrix }) => ({
            what: `${stage.output} of ${input}, ${matrix.shape[0]} × ${matrix.shape[1]}`,
            bytes: isIdentity(matrix) ? 0 : 4 * matrix.shape[0] * matrix.shape[1],
          }))
        : [],
    );
    const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total > maxBytes) throw tooLarge(sizes, total, maxBytes);
    return denseModel(this);
  }

  /**
   * Writes network.json (inputs, outputs, stages, shapes, names) and a scipy.sparse .npz for each matrix, with a .npy for
   * each bias and constant, into a folder, which is made when it is not there.
   */
  async write(folder: string, options?: { readonly onProgress?: (share: number) => void }): Promise<void> {
    const { onProgress = () => {} } = checkOptions(options, ['onProgress']);
    const place = pathOf(folder);
    await makeFolder(place);
    const stages: unknown[] = [];
    for (const [index, stage] of this.stages.entries()) {
      const label = `stage-${String(index).padStart(3, '0')}`;
      stages.push(await writeStage(stage, place, label));
      onProgress((index + 1) / this.stages.length);
    }
    const value = ({ name, type, shape }: StageValue) => ({ name, type, shape });
    const outputs = this.outputs.map(({ from, ...output }) => ({ ...value(output), from }));
    const network = {
      format: 'convmat linearized network',
      version: 1,
      inputs: this.inputs.map(value),
      outputs,
      stages,
    };
    await writeFile(joinPath(place, 'network.json'), [bytesOfText(`${JSON.stringify(network, null, 1)}\n`)]);
  }

  /** A table of the stages: what each reads, how large its matrices are, sparse and dense. */
  toString(): string {
    const lines = this.stages.map((stage) => {
      const shape = `[${stage.outputShape.join(', ')}]`;
      if (stage.kind === 'operator')
        return `${stage.output} ${shape} = ${stage.opType}(${stage.inputs.join(', ')})`;
      const terms = stage.terms.map(({ input, matrix }) => {
        const [rows, columns] = matrix.shape;
        const entries = 'nnz' in matrix ? `, ${matrix.nnz} entries` : '';
        return `${rows} × ${columns}${entries}, dense ${bytesText(4 * rows * columns)} · ${input}`;
      });
      return `${stage.output} ${shape} = ${[...terms, 'bias'].join(' + ')}`;
    });
    return lines.join('\n');
  }
}

function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function tooLarge(
  sizes: readonly { what: string; bytes: number }[],
  total: number,
  maxBytes: number,
): MemoryError {
  const largest = [...sizes].sort((a, b) => b.bytes - a.bytes);
  // As many of the largest as have to go.
  let over = total - maxBytes;
  const named = largest.filter(({ bytes }) => {
    const counts = over > 0;
    over -= bytes;
    return counts;
  });
  const shown = named.slice(0, 20).map(({ what, bytes }) => `${what}: ${bytesText(bytes)}`);
  const rest = named.length > shown.length ? `; and ${named.length - shown.length} more` : '';
  return new MemoryError(
    `toModel: expected dense matrices of at most ${bytesText(maxBytes)} (options.maxBytes), got ${bytesText(total)}, of which too large are ${shown.join('; ')}${rest}`,
  );
}

function lookUp(values: ReadonlyMap<string, View>, name: string): View {
  const view = values.get(name);
  if (view === undefined) throw new Error(`${name} is read before it is computed`);
  return view;
}

function runAffine({ terms, bias, outputShape }: AffineStage, values: ReadonlyMap<string, View>): View {
  const data = bias.slice();
  for (const { input, matrix } of terms) {
    const { data: x } = lookUp(values, input);
    const product = matrix.matvec(x instanceof Float64Array ? x : Float32Array.from(x));
    for (let i = 0; i < data.length; i++) data[i] += product[i];
  }
  return { type: data instanceof Float32Array ? 'float32' : 'float64', shape: outputShape, data };
}

function runOther({ graphNode, operands, results }: OtherStage, values: Map<string, View>): void {
  const inputs = operands.map((operand): View | null => {
    if (operand === null) return null;
    const { name, constant } = operand;
    return constant === null ? lookUp(values, name) : { ...operand, data: constant };
  });
  const outputs = results.map((result): View | null => {
    if (result === null) return null;
    const { name, type, shape } = result;
    const view = { type, shape, data: allocate(type, sizeOf(shape)) };
    values.set(name, view);
    return view;
  });
  evaluateNode(graphNode, inputs, outputs);
}

/** Writes the files of a stage, and gives its entry in network.json. */
async function writeStage(stage: Stage, folder: string, label: string): Promise<unknown> {
  const { kind, output, outputShape } = stage;
  if (stage.kind === 'affine') {
    const terms = [];
    for (const [i, { input, matrix }] of stage.terms.entries()) {
      const file = `${label}-term-${i}.npz`;
      await writeMatrix(joinPath(folder, file), matrix);
      terms.push({ input, matrix: file });
    }
    const bias = `${label}-bias.npy`;
    await writeArray(joinPath(folder, bias), stage.bias);
    return { kind, output, outputShape, terms, bias };
  }
  const operands = [];
  for (const [i, operand] of stage.operands.entries()) {
    if (operand === null || operand.constant === null)
      operands.push(operand === null ? null : { value: operand.name });
    else {
      const file = `${label}-constant-${i}.npy`;
      await writeArray(joinPath(folder, file), operand.constant);
      operands.push({ constant: file, shape: operand.shape });
    }
  }
  const { graphNode, opType, node, results } = stage;
  return {
    kind,
    opType,
    node: node.name,
    operation: graphNode.op,
    attributes: graphNode.attributes,
    operands,
    output,
    outputShape,
    outputs: results.map((result) => result?.name ?? null),
  };
}
