/** A picture of the reader's own, filtered by the kernel above as soon as either changes. */
import { backendInfo, conv2dAsync, image, type Tensor, tensor } from 'convmat';
import { byId } from '../elements.js';
import { KERNEL_NAMES, kernelLabel, namedKernel } from '../presets.js';
import { MOST_GREY, type State, type Store } from '../state.js';
import { number } from '../words.js';

/** Larger pictures are made smaller, so that filtering takes no longer than the eye waits. */
const MOST_SIDE = 768;

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('expected a canvas to draw on');
  return context;
}

/** A scene of edges, a slope and dots, for who has no picture at hand. */
function drawScene(canvas: HTMLCanvasElement): void {
  const [width, height] = [480, 320];
  canvas.width = width;
  canvas.height = height;
  const context = contextOf(canvas);
  const sky = context.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, '#3a6ea5');
  sky.addColorStop(0.62, '#e8c07d');
  sky.addColorStop(1, '#f3e3c3');
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  context.fillStyle = '#fff3d6';
  context.beginPath();
  context.arc(350, 92, 34, 0, 2 * Math.PI);
  context.fill();
  const hills = [
    { y: 205, swing: 26, colour: '#55708a' },
    { y: 240, swing: 18, colour: '#3f5a4e' },
    { y: 280, swing: 10, colour: '#2b3d2f' },
  ];
  for (const [i, { y, swing, colour }] of hills.entries()) {
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(0, height);
    for (let x = 0; x <= width; x += 4)
      context.lineTo(x, y + swing * Math.sin(x / (46 - 9 * i) + 2 * i) + 0.4 * swing * Math.sin(x / 13 + i));
    context.lineTo(width, height);
    context.fill();
  }
  context.fillStyle = '#7a4b33';
  context.fillRect(96, 208, 70, 54);
  context.fillStyle = '#efe2c8';
  for (let i = 0; i < 3; i++) context.fillRect(104 + 21 * i, 222, 12, 16);
  context.fillStyle = '#4d2b1f';
  context.beginPath();
  context.moveTo(88, 210);
  context.lineTo(131, 176);
  context.lineTo(174, 210);
  context.fill();
}

/** A kernel whose weights cancel shows differences: 0 becomes the middle grey. */
function offsetOf(weights: ArrayLike<number>): number {
  let [total, size] = [0, 0];
  for (let i = 0; i < weights.length; i++) {
    total += weights[i];
    size += Math.abs(weights[i]);
  }
  return Math.abs(total) < 0.25 * size ? 0.5 : 0;
}

export interface PictureView {
  /** @throws when the browser cannot decode it. */
  take(file: File): Promise<void>;
}

export function setUpPicture(store: Store, say: (text: string) => void): PictureView {
  const before = byId('picture-before', HTMLCanvasElement);
  const after = byId('picture-after', HTMLCanvasElement);
  const note = byId('picture-note', HTMLElement);
  const choice = byId('picture-kernel', HTMLSelectElement);
  const button = byId('picture-use', HTMLButtonElement);
  let planes: Tensor<Float32Array>;
  let running: AbortController | undefined;
  let name = 'a drawn scene';

  const kernelOf = (state: State): { kh: number; kw: number; weights: Float32Array } => {
    const channels = { ic: 1, oc: 1, groups: 1 };
    const named = namedKernel(choice.value, 7, channels);
    if (named !== undefined) return named;
    const { kh, kw, weights } = state;
    return { kh, kw, weights: weights.slice(0, kh * kw) };
  };

  const filter = async (): Promise<void> => {
    running?.abort();
    const own = new AbortController();
    running = own;
    const { kh, kw, weights } = kernelOf(store.state);
    const [, height, width] = planes.shape;
    // The same kernel for red, green and blue, which do not see one another.
    const three = new Float32Array(3 * weights.length);
    for (let c = 0; c < 3; c++) three.set(weights, c * weights.length);
    const start = performance.now();
    try {
      const filtered = await conv2dAsync(
        planes.reshape([1, 3, height, width]),
        tensor(three, [3, 1, kh, kw]),
        {
          groups: 3,
          padding: 'same',
          paddingMode: Math.max(kh, kw) <= Math.min(height, width) ? 'replicate' : 'zeros',
          signal: own.signal,
        },
      );
      const took = performance.now() - start;
      draw(filtered.reshape([3, height, width]), offsetOf(weights));
      const { isa } = backendInfo();
      note.textContent = `${name}, ${width} × ${height}: ${kh} × ${kw} taps for each of three colours, in ${number(took)} ms (${isa}).`;
    } catch (error) {
      if (!own.signal.aborted) note.textContent = String(error);
    }
  };

  const draw = (filtered: Tensor<Float32Array>, offset: number): void => {
    const { data, width, height } = image.toPixels(filtered, { scale: 255, offset: 255 * offset });
    const pixels = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = data[3 * i + c];
      pixels.data[4 * i + 3] = 255;
    }
    after.width = width;
    after.height = height;
    contextOf(after).putImageData(pixels, 0, 0);
  };

  const read = (): void => {
    const { data, width, height } = contextOf(before).getImageData(0, 0, before.width, before.height);
    planes = image.fromPixels({ data, width, height, channels: 4 }, { channels: 'rgb', scale: 1 / 255 });
  };

  /** The picture, as small as the image above, in as many greys as it has. */
  const use = (): void => {
    const { height, width, ic } = store.state;
    const small = document.createElement('canvas');
    small.width = width;
    small.height = height;
    const context = contextOf(small);
    context.imageSmoothingQuality = 'high';
    context.drawImage(before, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const channels = ic === 3 ? 'rgb' : 'grey';
    const { data: greys } = image.fromPixels(
      { data, width, height, channels: 4 },
      { channels, scale: MOST_GREY / 255 },
    );
    const pixels = Uint8Array.from({ length: ic * height * width }, (_, i) =>
      Math.round(greys[i % greys.length]),
    );
    store.change({ image: 'own', pixels });
    say(`The picture is the image above now, ${width} by ${height} pixels.`);
  };

  choice.append(
    new Option('the kernel above', 'own'),
    ...KERNEL_NAMES.map((kernel) => new Option(kernelLabel(kernel), kernel)),
  );
  choice.addEventListener('change', () => void filter());
  button.addEventListener('click', use);
  store.listen((state, last) => {
    if (choice.value === 'own' && state.weights !== last.weights) void filter();
  });
  drawScene(before);
  read();
  void filter();
  return {
    async take(file) {
      const bitmap = await createImageBitmap(file);
      const scale = Math.min(1, MOST_SIDE / Math.max(bitmap.width, bitmap.height));
      before.width = Math.max(1, Math.round(bitmap.width * scale));
      before.height = Math.max(1, Math.round(bitmap.height * scale));
      contextOf(before).drawImage(bitmap, 0, 0, before.width, before.height);
      bitmap.close();
      name = file.name;
      read();
      await filter();
      say(`${file.name} is filtered.`);
    },
  };
}
