// A network that is written node by node, and the file's bytes of it.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const dist = join(import.meta.dirname, '../../dist');
const { encodeModel, join: joinParts } = require(join(dist, 'onnx-file/file.js'));
const { FileTensor } = require(join(dist, 'onnx-file/file-tensor.js'));

/** ONNX's numbers of element types. */
export const TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 };

const TYPE_OF = new Map([
  [Float32Array, TYPES.float32],
  [Uint8Array, TYPES.uint8],
  [Int8Array, TYPES.int8],
  [Int32Array, TYPES.int32],
  [BigInt64Array, TYPES.int64],
]);

export class Draft {
  #nodes = [];
  #initializers = [];
  #inputs = [];
  #outputs = [];

  /** @param shape  Known sizes. */
  input(name, type, shape) {
    this.#inputs.push({ name, typeNumber: TYPES[type], kind: 'tensor', message: null, shape });
    return name;
  }
  output(name, type, shape) {
    this.#outputs.push({ name, typeNumber: TYPES[type], kind: 'tensor', message: null, shape });
  }
  constant(values, dims = []) {
    const name = `c${this.#initializers.length}`;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const type = TYPE_OF.get(values.constructor);
    this.#initializers.push(new FileTensor('a draft', name, dims, type, { kind: 'raw', bytes }));
    return name;
  }
  /** @param attributes  Numbers are ints, lists of numbers ints. */
  node(opType, inputs, attributes = {}, domain = '') {
    const output = `v${this.#nodes.length}`;
    const entries = Object.entries(attributes).map(([name, value]) => [
      name,
      Array.isArray(value) ? { kind: 'ints', value } : { kind: 'int', value },
    ]);
    this.#nodes.push({
      name: `${opType} ${this.#nodes.length}`,
      opType,
      domain,
      inputs,
      outputs: [output],
      attributes: new Map(entries),
    });
    return output;
  }
  bytes() {
    const opsets = new Map([
      ['', 13],
      ['com.microsoft', 1],
    ]);
    const graph = {
      name: 'draft',
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: this.#inputs,
      outputs: this.#outputs,
      sparse: [],
      rest: [],
    };
    return joinParts(
      encodeModel({ irVersion: 8, producer: '', producerVersion: '', opsets, graph, rest: [] }),
    );
  }
}
