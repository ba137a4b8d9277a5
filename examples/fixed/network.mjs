// A network's layers on words of a given length: every type is the best for the numbers that occur.
import { fixed, nn, Tensor } from 'convmat';

const { conv2d, fi, relu } = fixed;
/** Bits of biases and scores: those of the sums that they join. */
const WIDE = 32;

/**
 * @param net     Convolutions with a ReLU after each, then one linear layer over all that is left.
 * @param images  [n, c, h, w], for the range of each layer's numbers.
 */
export function inFixedPoint(net, images, wordLength) {
  const word = (values) => fi(values, { signed: true, wordLength });
  const image = word(images).type;
  const layers = [];
  let from = image;
  let x = images;
  for (const layer of net.modules) {
    const { shape } = x;
    x = layer.forward(x);
    if (layer instanceof nn.Conv2d)
      layers.push({ layer, kernel: layer.weight.data, geometry: layer.geometry });
    // A linear layer is a convolution whose kernel is as large as the maps before Flatten.
    if (layer instanceof nn.Flatten) layers.maps = shape.slice(1);
    if (layer instanceof nn.Linear) {
      const kernel = layer.weight.data.reshape([layer.outFeatures, ...layers.maps]);
      layers.push({ layer, kernel, geometry: { stride: 1, padding: 0 } });
    }
    const latest = layers.at(-1);
    if (layer instanceof nn.ReLU) latest.range = x;
  }
  const ready = layers.map(({ layer, kernel, geometry, range }) => {
    const weight = word(kernel);
    const fractionLength = from.fractionLength + weight.type.fractionLength;
    const bias = fi(layer.bias.data, { signed: true, wordLength: WIDE, fractionLength });
    const scores = { signed: true, wordLength: WIDE, fractionLength };
    const output = range === undefined ? scores : word(range).type;
    from = output;
    const { stride, padding } = geometry;
    return { weight, bias, options: { bias, stride, padding, output }, rectified: range !== undefined };
  });
  const run = (given) =>
    ready.reduce(
      (y, { weight, options, rectified }) => {
        const sums = conv2d(y, weight, options);
        return rectified ? relu(sums) : sums;
      },
      fi(given, image),
    );
  return { run, describe: (given) => describe(ready, fi(given, image), run(given)) };
}

/** What a program in another language needs to do the same, and the answer. */
function describe(layers, image, scores) {
  const arrays = { image: image.raw, image_fraction: scalar(image.type.fractionLength), scores: scores.raw };
  layers.forEach(({ weight, bias, options, rectified }, i) => {
    const { stride, padding, output } = options;
    Object.assign(arrays, {
      [`weight${i}`]: weight.raw,
      [`bias${i}`]: bias.raw,
      // Fraction lengths of weight, bias and output, bits of the output, stride, padding, and whether a ReLU follows.
      [`numbers${i}`]: numbers([
        weight.type.fractionLength,
        bias.type.fractionLength,
        output.fractionLength,
        output.wordLength,
        [stride].flat()[0],
        [padding].flat(2)[0],
        Number(rectified),
      ]),
    });
  });
  return arrays;
}

function numbers(values) {
  return new Tensor(Int32Array.from(values), [values.length]);
}

function scalar(value) {
  return new Tensor(Int32Array.of(value), []);
}
