// ResNet-50 of bytes: the topology of He et al. 2016 (stride in the 3x3), with seeded random weights and scales that keep
// the spread of values, as operators of bytes or as float operators between DequantizeLinear and QuantizeLinear.
import { stream } from '../random.mjs';
import { Draft } from './draft.mjs';

/** Channels inside, blocks, and stride of the first block of each stage. */
const STAGES = [
  [64, 3, 1],
  [128, 4, 2],
  [256, 6, 2],
  [512, 3, 2],
];
const CLASSES = 1000;
/** Of images, about from -1 to 1. */
const IMAGE = { scale: 2 / 255, zero: 128 };
/** Of what a rectifier leaves, which has a root mean square of about 1. */
const RECTIFIED = { scale: 6 / 255, zero: 0 };
/** Of what is added before a rectifier, and of the last scores. */
const SIGNED = { scale: 10 / 255, zero: 128 };

/** @param style  'operators' (QLinearConv and its kind) or 'pairs' (QuantizeLinear and DequantizeLinear around floats). */
export function quantizedResNet50(style) {
  const next = stream(3);
  const d = new Draft();
  const f32 = (value) => d.constant(Float32Array.of(value));
  const u8 = (value) => d.constant(Uint8Array.of(value));
  const grid = ({ scale, zero }) => [f32(scale), u8(zero)];
  const quantize = (x, at) => d.node('QuantizeLinear', [x, ...grid(at)]);
  const dequantize = (x, at) => d.node('DequantizeLinear', [x, ...grid(at)]);

  // Weights of variance 2 over what is summed, where the input has the mean square that a grid stands for.
  const layer = (inChannels, outChannels, kernel, gain) => {
    const dims = [outChannels, inChannels, kernel, kernel];
    const count = inChannels * kernel * kernel;
    const bytes = Int8Array.from({ length: outChannels * count }, () => Math.floor(next() * 255) - 127);
    const scales = Float32Array.from(
      { length: outChannels },
      () => ((0.75 + 0.5 * next()) * gain * Math.sqrt(3 / count)) / 127,
    );
    return { dims, bytes, scales };
  };
  const conv = (x, from, outChannels, kernel, stride, to, gain) => {
    const { dims, bytes, scales } = layer(x.channels, outChannels, kernel, gain);
    const bias = Int32Array.from(scales, (scale) => Math.round((0.2 * next() - 0.1) / (from.scale * scale)));
    const attributes = {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: Array(4).fill(kernel >> 1),
    };
    const [w, s, b] = [
      d.constant(bytes, dims),
      d.constant(scales, [outChannels]),
      d.constant(bias, [outChannels]),
    ];
    const zeros = d.constant(new Int8Array(outChannels), [outChannels]);
    if (style === 'operators') {
      const inputs = [x.name, ...grid(from), w, s, zeros, ...grid(to), b];
      return { name: d.node('QLinearConv', inputs, attributes), channels: outChannels };
    }
    const biasScales = d.constant(
      scales.map((scale) => Math.fround(from.scale) * scale),
      [outChannels],
    );
    const biasZeros = d.constant(new Int32Array(outChannels), [outChannels]);
    const operands = [
      dequantize(x.name, from),
      d.node('DequantizeLinear', [w, s, zeros], { axis: 0 }),
      d.node('DequantizeLinear', [b, biasScales, biasZeros], { axis: 0 }),
    ];
    const sums = d.node('Conv', operands, attributes);
    const result = to === RECTIFIED ? d.node('Relu', [sums]) : sums;
    return { name: quantize(result, to), channels: outChannels };
  };
  const add = (x, xAt, y, yAt) => {
    if (style === 'operators') {
      const inputs = [x.name, ...grid(xAt), y.name, ...grid(yAt), ...grid(RECTIFIED)];
      return { ...x, name: d.node('QLinearAdd', inputs, {}, 'com.microsoft') };
    }
    const sum = d.node('Add', [dequantize(x.name, xAt), dequantize(y.name, yAt)]);
    return { ...x, name: quantize(d.node('Relu', [sum]), RECTIFIED) };
  };

  const image = d.input('x', 'float32', [1, 3, 224, 224]);
  let x = conv({ name: quantize(image, IMAGE), channels: 3 }, IMAGE, 64, 7, 2, RECTIFIED, 2);
  const window = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
  // On one grid before and after: the largest byte is the largest value.
  x.name =
    style === 'operators'
      ? d.node('MaxPool', [x.name], window)
      : quantize(d.node('MaxPool', [dequantize(x.name, RECTIFIED)], window), RECTIFIED);
  for (const [channels, blocks, first] of STAGES) {
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 ? first : 1;
      const inside = conv(x, RECTIFIED, channels, 1, 1, RECTIFIED, 1.2);
      const strided = conv(inside, RECTIFIED, channels, 3, stride, RECTIFIED, 1.2);
      const branch = conv(strided, RECTIFIED, 4 * channels, 1, 1, SIGNED, 1);
      const isSame = x.channels === 4 * channels;
      const shortcut = isSame ? x : conv(x, RECTIFIED, 4 * channels, 1, stride, SIGNED, 1);
      x = add(branch, SIGNED, shortcut, isSame ? RECTIFIED : SIGNED);
    }
  }
  const pooled =
    style === 'operators'
      ? d.node(
          'QLinearGlobalAveragePool',
          [x.name, ...grid(RECTIFIED), ...grid(RECTIFIED)],
          { channels_last: 0 },
          'com.microsoft',
        )
      : quantize(d.node('GlobalAveragePool', [dequantize(x.name, RECTIFIED)]), RECTIFIED);
  const flat = d.node('Flatten', [pooled]);
  const { bytes, scales } = layer(CLASSES, x.channels, 1, 2);
  const [w, s, zero] = [
    d.constant(bytes, [x.channels, CLASSES]),
    f32(scales[0]),
    d.constant(Int8Array.of(0)),
  ];
  const scores =
    style === 'operators'
      ? d.node('QLinearMatMul', [flat, ...grid(RECTIFIED), w, s, zero, ...grid(SIGNED)])
      : quantize(
          d.node('MatMul', [dequantize(flat, RECTIFIED), d.node('DequantizeLinear', [w, s, zero])]),
          SIGNED,
        );
  d.output(dequantize(scores, SIGNED), 'float32', [1, CLASSES]);
  return d.bytes();
}
