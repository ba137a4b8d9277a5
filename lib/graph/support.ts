/** Everything in a file that is not supported, found without knowing a shape, and told in one error. */
import { describe } from '../check.js';
import { UnsupportedError } from '../errors.js';
import { fileType } from '../onnx-file/element-types.js';
import type { FileAttribute, FileGraph, FileNode } from '../onnx-file/file.js';
import { nodeTitle } from '../onnx-file/structure.js';
import { OPSETS, operatorOf } from './operators/index.js';

/** Complaints with what they are about, in the order in which they turned up. */
export class Complaints {
  readonly #about = new Map<string, string[]>();

  add(complaint: string, place: string): void {
    const places = this.#about.get(complaint);
    if (places === undefined) this.#about.set(complaint, [place]);
    else places.push(place);
  }

  /** @throws {UnsupportedError} with all of them, when there are any. */
  throw(file: string): void {
    if (this.#about.size === 0) return;
    // All complaints are told, if need be with fewer of the nodes that each is about.
    const texts = SHOWN_PLACES.map((count) => this.#text(count));
    const text = texts.find(({ length }) => length <= LONGEST_TEXT) ?? texts[texts.length - 1];
    // Those of an operator's reader say themselves what was expected.
    const areWhole = [...this.#about.keys()].every((complaint) => complaint.startsWith('expected '));
    throw new UnsupportedError(`${file}: ${areWhole ? '' : 'expected what convmat supports, got '}${text}`);
  }

  #text(most: number): string {
    const lines = [...this.#about].map(([complaint, places]) => {
      const rest = places.length - most;
      return `${complaint}: ${places.slice(0, most).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
    });
    return lines.join('; ');
  }
}

const SHOWN_PLACES = [50, 10, 3, 1];
/** What a message may be long, less the name of a file. */
const LONGEST_TEXT = 1700;

/** Operators, attributes and types that are not supported. */
export function complaintsAbout(graph: FileGraph, opset: number): Complaints {
  const complaints = new Complaints();
  if (opset < OPSETS.oldest || opset > OPSETS.newest)
    complaints.add(`opset ${opset} (${OPSETS.oldest} to ${OPSETS.newest} are supported)`, 'the model');
  for (const name of graph.sparse) complaints.add('sparse initializer', describe(name));
  for (const value of graph.inputs) {
    const { type, name } = fileType(value.typeNumber);
    if (value.kind !== 'tensor') complaints.add(`type ${value.kind}`, `input ${describe(value.name)}`);
    else if (type === null) complaints.add(`type ${name}`, `input ${describe(value.name)}`);
  }
  for (const tensor of graph.initializers) {
    const { type, name } = tensor.fileType;
    if (type === null) complaints.add(`type ${name}`, `initializer ${describe(tensor.name)}`);
  }
  graph.nodes.forEach((node, index) => {
    complainAbout(node, (what) => complaints.add(what, nodeTitle(node, index)));
  });
  return complaints;
}

function complainAbout(node: FileNode, complain: (what: string) => void): void {
  const operator = operatorOf(node);
  if (operator === undefined) {
    const domain = node.domain === '' ? '' : `${node.domain}.`;
    complain(`operator ${domain}${node.opType}`);
    return;
  }
  for (const [name, attribute] of node.attributes) {
    const form = operator.attributes[name];
    if (form === undefined) complain(`attribute ${name} of ${node.opType}`);
    else if (typeof form !== 'string' && !(attribute.kind === 'string' && form.includes(attribute.value)))
      complain(`attribute ${name} of ${node.opType} = ${shownValue(attribute)}`);
    if (attribute.kind === 'tensor' && attribute.value.fileType.type === null)
      complain(`type ${attribute.value.fileType.name}`);
  }
}

function shownValue({ kind, value }: FileAttribute): string {
  return kind === 'string' || kind === 'int' || kind === 'float' ? describe(value) : kind;
}
