// Layers of real networks, from bench/shapes/*.txt.
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('./shapes/', import.meta.url);

/** The networks that there are shapes of. */
export const networks = readdirSync(folder)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => file.slice(0, -4));

/** The layers of a network, in its order. */
export function layersOf(network) {
  const lines = readFileSync(new URL(`${network}.txt`, folder), 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => parseLayer(network, line));
}

function parseLayer(network, line) {
  const [name, count, input, weight, stride, padding, groups] = line.split(/\s+/);
  const inputShape = input.split('x').map(Number);
  const weightShape = weight.split('x').map(Number);
  const rank = inputShape.length - 2;
  const perAxis = (text) => {
    const numbers = text.split(',').map(Number);
    return numbers.length === rank ? numbers : Array(rank).fill(numbers[0]);
  };
  const layer = {
    id: `${network}/${name}`,
    network,
    name,
    count: Number(count),
    rank,
    inputShape,
    weightShape,
    stride: perAxis(stride),
    padding: perAxis(padding),
    groups: Number(groups),
  };
  const spatial = inputShape
    .slice(2)
    .map(
      (size, axis) =>
        Math.floor((size + 2 * layer.padding[axis] - weightShape[axis + 2]) / layer.stride[axis]) + 1,
    );
  layer.outputShape = [inputShape[0], weightShape[0], ...spatial];
  // Multiplications and additions of the direct sum, whatever an algorithm really does.
  layer.flops = 2 * product(layer.outputShape) * product(weightShape.slice(1));
  return layer;
}

export function product(sizes) {
  return sizes.reduce((count, size) => count * size, 1);
}
