/** An ONNX network as layers: what each makes, holds and costs, and the matrices of those that are affine and small. */
import { onnx, type Shape, Tensor } from 'convmat';
import sample from 'sample-network';
import { type Colours, largest, type Tone } from '../colours.js';
import { byId, make } from '../elements.js';
import { count, number } from '../words.js';
import { Board } from './board.js';
import { bytes } from './costs.js';

/** What all sparse matrices of a network may take: a page is no place for more. */
const MOST_BYTES = 64 * 2 ** 20;
/** A matrix with more entries is told by its sizes alone. */
const MOST_ENTRIES = 2_000_000;
const PICTURE = 340;

const shapeText = (shape: readonly (number | string | null)[] | null): string =>
  shape === null ? '?' : shape.map((size) => size ?? '?').join(' × ');

export interface NetworkView {
  take(file: File): Promise<void>;
  /** Draws the chosen matrix in other colours. */
  recolour(): void;
}

/** A convolution that the rest of the page can show. */
export interface NetworkConvolution {
  readonly weight: { readonly data: Float32Array; readonly shape: Shape };
  readonly stride: number;
  readonly dilation: number;
  readonly padding: number;
}

export function setUpNetwork(
  colours: () => Colours,
  say: (text: string) => void,
  open: (convolution: NetworkConvolution, name: string) => void,
): NetworkView {
  const title = byId('network-title', HTMLElement);
  const sizes = byId('network-inputs', HTMLElement);
  const layers = byId('network-layers', HTMLElement);
  const stages = byId('network-stages', HTMLElement);
  const caption = byId('network-caption', HTMLElement);
  const entry = byId('network-entry', HTMLElement);
  let shown: onnx.StageTerm['matrix'] | undefined;
  let valueAt: (row: number, column: number) => number = () => 0;
  const board = new Board(byId('network-matrix', HTMLCanvasElement), colours(), {
    point: (place, by) => {
      const text = place && `(${place.row}, ${place.column}) = ${number(valueAt(place.row, place.column))}`;
      entry.textContent = text ?? '';
      if (by === 'keys' && text !== undefined) say(text);
    },
  });

  const show = (matrix: onnx.StageTerm['matrix'] | undefined, text: string): void => {
    shown = matrix;
    caption.textContent = text;
    board.canvas.hidden = matrix === undefined;
    board.canvas.setAttribute('aria-label', text);
    if (matrix === undefined) return;
    const [rows, columns] = matrix.shape;
    const { indptr, indices, data } = matrix.toCSR();
    valueAt = (row, column) => {
      const at = indices.subarray(indptr[row], indptr[row + 1]).indexOf(column);
      return at < 0 ? 0 : data[indptr[row] + at];
    };
    const cell = Math.min(PICTURE / Math.max(rows, columns), 24);
    const height = Math.max(cell, Math.min(8, PICTURE / rows));
    const tone: Tone = { kind: 'signed', most: largest(data) };
    const block = {
      id: 'matrix',
      rows,
      columns,
      x: 1,
      y: 1,
      cellWidth: cell,
      cellHeight: height,
      tone,
      isNavigable: true,
      source: matrix,
      each: (visit: (row: number, column: number, value: number) => void) => {
        for (let row = 0; row < rows; row++) {
          for (let e = indptr[row]; e < indptr[row + 1]; e++) visit(row, indices[e], data[e]);
        }
      },
    };
    board.show([block], { width: cell * columns + 2, height: height * rows + 2 }, colours());
  };

  const showLayers = (model: onnx.Model, shapes: Record<string, Shape>): void => {
    const { rows } = model.summary(shapes);
    layers.replaceChildren(
      ...rows.flatMap(({ name, opType, outputShapes, parameters, multiplications }, index) => {
        // Weights, as those of nodes that read them.
        if (opType === 'Constant') return [];
        const convolution = convolutionOf(model.nodes[index], model);
        const action = make('td', {});
        if (convolution !== undefined) {
          const button = make('button', { type: 'button', class: 'quiet' }, 'show above');
          button.setAttribute('aria-label', `Show the first kernels of ${name} above`);
          button.addEventListener('click', () => open(convolution, name));
          action.append(button);
        }
        return make(
          'tr',
          {},
          make('th', { scope: 'row' }, opType, make('span', { class: 'name' }, name)),
          make('td', {}, outputShapes.map(shapeText).join(', ')),
          make('td', {}, count(parameters)),
          make('td', {}, count(multiplications)),
          action,
        );
      }),
    );
  };

  const showStages = async (model: onnx.Model, inputShapes: Record<string, Shape>): Promise<void> => {
    show(undefined, '');
    stages.replaceChildren();
    try {
      const network = await onnx.linearize(model, { inputShapes, maxBytes: MOST_BYTES, merge: false });
      const rows = network.stages.flatMap((stage) =>
        stage.kind === 'affine'
          ? stage.terms.map((term) => stageRow(stage, term))
          : [make('li', {}, make('span', { class: 'name' }, `${stage.opType}: not affine`))],
      );
      stages.replaceChildren(...rows);
      stages.querySelector('button')?.click();
    } catch (error) {
      caption.textContent = `No matrices: ${error instanceof Error ? error.message : error}`;
    }
  };

  const stageRow = ({ output, terms }: onnx.AffineStage, { input, matrix }: onnx.StageTerm): HTMLElement => {
    const [rows, columns] = matrix.shape;
    const entries = 'nnz' in matrix && typeof matrix.nnz === 'number' ? matrix.nnz : rows;
    const name = terms.length > 1 ? `${output}, of ${input}` : output;
    const text = `${name}: ${count(rows)} × ${count(columns)}, ${count(entries)} entries; in full ${bytes(4 * rows * columns)}`;
    if (entries > MOST_ENTRIES) return make('li', {}, make('span', { class: 'name' }, text));
    const button = make('button', { type: 'button', class: 'stage' }, text);
    button.addEventListener('click', () => {
      for (const other of stages.querySelectorAll('button')) other.removeAttribute('aria-pressed');
      button.setAttribute('aria-pressed', 'true');
      show(matrix, text);
    });
    return make('li', {}, button);
  };

  /** A field for each size that the file leaves open. */
  const askSizes = (model: onnx.Model, changed: () => void): (() => Record<string, Shape>) => {
    const fields = model.inputs.map(({ name, shape }) => ({
      name,
      sizes: shape.map((size, axis) => {
        if (typeof size === 'number') return () => size;
        const field = make('input', {
          type: 'number',
          min: '1',
          max: '4096',
          value: axis === 0 ? '1' : '32',
        });
        field.addEventListener('change', changed);
        sizes.append(make('label', {}, `${name}, ${size ?? `axis ${axis}`} `, field));
        return () => Math.max(1, Math.round(field.valueAsNumber) || 1);
      }),
    }));
    return () => Object.fromEntries(fields.map(({ name, sizes }) => [name, sizes.map((size) => size())]));
  };

  const read = async (name: string, content: Uint8Array): Promise<void> => {
    const model = await onnx.readModel(content);
    sizes.replaceChildren();
    const shapes = askSizes(model, () => void update());
    const update = async (): Promise<void> => {
      try {
        const given = shapes();
        showLayers(model, given);
        const inputs = model.inputs
          .map((input) => `${input.name} ${shapeText(given[input.name])}`)
          .join(', ');
        title.textContent = `${name}: ${count(model.nodes.length)} nodes, opset ${model.opset}, input ${inputs}`;
        await showStages(model, given);
      } catch (error) {
        caption.textContent = error instanceof Error ? error.message : String(error);
      }
    };
    await update();
    byId('network-result', HTMLElement).hidden = false;
    say(`${name}: ${count(model.nodes.length)} nodes.`);
  };

  byId('network-sample', HTMLButtonElement).addEventListener('click', () => {
    const content = Uint8Array.from(atob(sample), (character) => character.charCodeAt(0));
    void read('A small residual network', content);
  });
  return {
    take: async (file) => read(file.name, new Uint8Array(await file.arrayBuffer())),
    recolour: () => {
      if (shown !== undefined) show(shown, caption.textContent ?? '');
    },
  };
}

/** Numbers of an attribute, when they are all alike. */
function alike(value: unknown, usual: number): number | undefined {
  if (value === undefined) return usual;
  const list = Array.isArray(value) ? value.map(Number) : [];
  return list.length > 0 && list.every((one) => one === list[0]) ? list[0] : undefined;
}

/** Weights by name: an initializer, or what a Constant node gives. */
function weightNamed(name: string, { initializers, nodes }: onnx.Model): unknown {
  const constant = nodes.find(({ opType, outputs }) => opType === 'Constant' && outputs[0] === name);
  return initializers.get(name) ?? constant?.attributes['value'];
}

/** A Conv over two axes whose weights are in the file. */
function convolutionOf(node: onnx.Node, model: onnx.Model): NetworkConvolution | undefined {
  if (node.opType !== 'Conv') return undefined;
  const weight = weightNamed(node.inputs[1], model);
  if (!(weight instanceof Tensor) || weight.shape.length !== 4 || !(weight.data instanceof Float32Array))
    return undefined;
  const stride = alike(node.attributes['strides'], 1);
  const dilation = alike(node.attributes['dilations'], 1);
  const padding = alike(node.attributes['pads'], 0);
  if (stride === undefined || dilation === undefined || padding === undefined) return undefined;
  return { weight: { data: weight.data, shape: weight.shape }, stride, dilation, padding };
}
