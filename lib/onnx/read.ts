/** Models from files and bytes, and into files. */
import { basename, dirname, joinPath, locate, pathOf, readWhole, writeFile } from '#model-files';
import { checkBoolean, checkOptions, describe, isObject, isRecord, mistake } from '../check.js';
import { ArgumentError, FormatError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { type BlobLike, isBlob } from '../io/blob.js';
import type { FileURL } from '../io/source.js';
import {
  decodeModel,
  encodeModel,
  type FileModel,
  LONGEST_MESSAGE,
  type Placement,
} from '../onnx-file/file.js';
import type { ExternalData, FileTensor } from '../onnx-file/file-tensor.js';
import { dtypeOf, isArrayBuffer } from '../tensor/dtype.js';
import { Model, modelFile } from './model.js';

/** A path, the bytes, which are not copied and must not change while the model is in use, or a Blob of them. */
export type ModelSource = string | FileURL | Uint8Array | ArrayBuffer | BlobLike;

/** Where the rest of a model is. */
export interface ReadModelOptions {
  /** The bytes of files that hold weights, by the location that the model gives, where they are not beside the path. */
  readonly externalData?: Readonly<Record<string, Uint8Array>>;
}

/**
 * Reads an ONNX model. Weights stay views of its bytes, which may be neither written to nor handed on before the last shape of
 * a network has been prepared. External data is looked for beside the path, and nowhere else.
 *
 * @throws {FormatError} for a file that is damaged, with the place; {ArgumentError} for a source that is none; errors of
 *   the file system as they are.
 * @example
 *   const model = await readModel('model.onnx');
 *   console.log(`${model.summary()}`);
 */
export async function readModel(source: ModelSource, options?: ReadModelOptions): Promise<Model> {
  const { externalData = {} } = checkOptions(options, ['externalData']);
  if (!isRecord(externalData))
    throw mistake(ArgumentError, 'options.externalData', 'an object of bytes by location', externalData);
  for (const [location, bytes] of Object.entries(externalData)) {
    if (!isBytes(bytes))
      throw mistake(ArgumentError, `options.externalData[${describe(location)}]`, 'a Uint8Array', bytes);
  }
  const path = isPath(source) ? pathOf(source, 'source') : null;
  const file = path ?? 'model';
  const bytes = path === null ? await bytesOf(source) : await readWhole(path);
  await breathe();
  const model = decodeModel(bytes, file);
  await breathe();
  await loadExternalData(model, file, path === null ? null : dirname(path), externalData);
  return new Model(model, file);
}

/** Whether a model is read from a file. */
export function isPath(source: unknown): source is string | FileURL {
  return typeof source === 'string' || (isObject(source) && 'href' in source);
}

/** A Uint8Array, of any realm. */
function isBytes(source: unknown): source is Uint8Array {
  return dtypeOf(source) === 'uint8';
}

async function bytesOf(source: unknown): Promise<Uint8Array> {
  if (isBytes(source)) return source;
  if (isArrayBuffer(source)) return new Uint8Array(source);
  if (isBlob(source)) {
    const bytes = await source.arrayBuffer();
    if (isArrayBuffer(bytes)) return new Uint8Array(bytes);
  }
  throw mistake(
    ArgumentError,
    'source',
    'a path, a file URL, a Uint8Array, an ArrayBuffer or a Blob',
    source,
  );
}

// ───────────────────────────── external data ─────────────────────────────

/** Every file is read once, and its tensors are views of it: together they cannot take more than the files are long. */
async function loadExternalData(
  model: FileModel,
  file: string,
  folder: string | null,
  given: Readonly<Record<string, Uint8Array>>,
): Promise<void> {
  const loaded = new Map<string, Uint8Array>(Object.entries(given));
  for (const tensor of tensorsOf(model)) {
    if (tensor.source.kind !== 'external') continue;
    const { at } = tensor.source;
    let bytes = loaded.get(at.location);
    if (bytes === undefined) {
      if (folder === null)
        throw new FormatError(
          `${file}: tensor ${describe(tensor.name)}: expected a path, beside which ${describe(at.location)} is, got bytes alone (options.externalData)`,
        );
      bytes = await readWhole(await locate(folder, at.location, `${file}: tensor ${describe(tensor.name)}`));
      loaded.set(at.location, bytes);
    }
    tensor.source = { kind: 'raw', bytes: stretchOf(bytes, at, tensor, file) };
  }
}

/** Initializers, and the tensors in attributes. */
export function* tensorsOf({ graph }: FileModel): Generator<FileTensor> {
  yield* graph.initializers;
  for (const node of graph.nodes) {
    for (const attribute of node.attributes.values()) {
      if (attribute.kind === 'tensor') yield attribute.value;
      else if (attribute.kind === 'tensors') yield* attribute.value;
    }
  }
}

function stretchOf(
  bytes: Uint8Array,
  { location, offset, length }: ExternalData,
  tensor: FileTensor,
  file: string,
): Uint8Array {
  const wanted = length ?? tensor.rawLength;
  if (offset + wanted > bytes.length || wanted !== tensor.rawLength)
    throw new FormatError(
      `${file}: tensor ${describe(tensor.name)}: expected ${tensor.rawLength} bytes at byte ${offset} of ${describe(location)}, got ${Math.max(bytes.length - offset, 0)}`,
    );
  return bytes.subarray(offset, offset + wanted);
}

// ───────────────────────────── writing ─────────────────────────────

/** How a model becomes a file. */
export interface WriteModelOptions {
  /**
   * Weights of at least 1 KiB go into a file of their own beside the model, PATH.data. Default: where the model would be
   * longer than the 2 GiB that one file may be.
   */
  readonly externalData?: boolean;
}

/**
 * A file whole or not at all.
 *
 * @throws errors of the file system as they are.
 * @example await writeModel('copy.onnx', await readModel('model.onnx'));
 */
export async function writeModel(path: string, model: Model, options?: WriteModelOptions): Promise<void> {
  const { externalData } = checkOptions(options, ['externalData']);
  const { model: file } = modelFile(model);
  const inline = encodeModel(file);
  if (
    !(externalData === undefined
      ? inline.length > LONGEST_MESSAGE
      : checkBoolean(externalData, 'options.externalData'))
  ) {
    await writeFile(path, inline.parts());
    return;
  }
  const location = `${basename(path)}.data`;
  const weights: Uint8Array[] = [];
  let offset = 0;
  const place: Placement = (tensor) => {
    const raw = tensor.rawBytes();
    if (raw === null || raw.length < SMALLEST_EXTERNAL) return null;
    // Readers map the file into memory, where elements want to be aligned.
    const padding = -offset & (ALIGNMENT - 1);
    weights.push(new Uint8Array(padding), raw);
    offset += padding + raw.length;
    return { location, offset: offset - raw.length, length: raw.length };
  };
  const parts = encodeModel(file, place).parts();
  await writeFile(joinPath(dirname(path), location), weights);
  await writeFile(path, parts);
}

const SMALLEST_EXTERNAL = 1024;
const ALIGNMENT = 4096;
