/** What the explorer is made of besides its views, in Node.js: links, and what lights up, over random convolutions. */
import { ConvmatError } from 'convmat';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isThere, lightsOf, windowOf } from '../../docs/site/explorer/lights';
import { fromLink, toLink } from '../../docs/site/explorer/link';
import { type Lowering, lower } from '../../docs/site/explorer/lowering';
import { nameOfPoint, type Point, pointNamed } from '../../docs/site/explorer/point';
import { drawImage, IMAGES, KERNEL_NAMES, namedKernel } from '../../docs/site/explorer/presets';
import {
  groupChoices,
  LIMITS,
  MOST_GREY,
  PADDING_MODES,
  type State,
  WAYS,
} from '../../docs/site/explorer/state';
import { describe } from '../../docs/site/explorer/words';
import { check } from '../support/fuzz';

const within = ({ least, most }: { least: number; most: number }, below = most) =>
  fc.integer({ min: least, max: Math.min(most, below) });

/** Any state that the page can be in, over images of up to 9 × 9. */
const states: fc.Arbitrary<State> = fc
  .record({
    height: within(LIMITS.side, 9),
    width: within(LIMITS.side, 9),
    ic: within(LIMITS.channels),
    oc: within(LIMITS.channels),
    groupIndex: fc.nat(2),
    kh: within(LIMITS.kernel, 4),
    kw: within(LIMITS.kernel, 4),
    stride: within(LIMITS.stride, 3),
    dilation: within(LIMITS.dilation, 3),
    padding: within(LIMITS.padding, 4),
    paddingMode: fc.constantFrom(...PADDING_MODES),
    way: fc.constantFrom(...WAYS),
    image: fc.constantFrom('own', ...IMAGES),
    kernel: fc.constantFrom('own', ...KERNEL_NAMES),
    seed: fc.nat(),
  })
  .map(({ groupIndex, seed, image, kernel, ...rest }) => {
    const { ic, oc, height, width, kh, kw } = rest;
    const choices = groupChoices(ic, oc);
    const groups = choices[groupIndex % choices.length];
    const digit = (i: number) => ((i + 1) * (seed % 9973) + i * i) % (MOST_GREY + 1);
    const own = {
      kernel: 'own',
      weights: Float32Array.from({ length: (oc * ic * kh * kw) / groups }, (_, i) => digit(i + 7) - 4),
    };
    return {
      ...rest,
      groups,
      image,
      pixels:
        image === 'own'
          ? Uint8Array.from({ length: ic * height * width }, (_, i) => digit(i))
          : drawImage(image, ic, height, width),
      ...own,
      ...(kernel === 'own' ? undefined : namedKernel(kernel, kh, { ic, oc, groups })),
      pin: undefined,
    };
  });

test('a link says all of a state, and nothing of how the page opens', () => {
  check(
    fc.property(states, (state) => {
      expect(fromLink(`#${toLink(state)}`)).toEqual(state);
    }),
    { numRuns: 300 },
  );
  expect(toLink(fromLink(''))).toBe('');
});

test('no text of a link is refused', () => {
  const words = fc.constantFrom(
    'size',
    'channels',
    'pixels',
    'weights',
    'taps',
    'groups',
    'stride',
    'mode',
    'at',
    'kernel',
  );
  const texts = fc.array(fc.tuple(words, fc.string()), { maxLength: 5 });
  check(
    fc.property(texts, (pairs) => {
      const state = fromLink(`#${new URLSearchParams(pairs)}`);
      expect(state.weights.length).toBe((state.oc * state.ic * state.kh * state.kw) / state.groups);
      expect(state.pixels.length).toBe(state.ic * state.height * state.width);
    }),
    { numRuns: 300 },
  );
});

/** The convolution of a state, unless the library refuses it. */
function lowered(state: State): Lowering {
  try {
    return lower(state, undefined);
  } catch (error) {
    fc.pre(!(error instanceof ConvmatError));
    throw error;
  }
}

/** Some points of each kind, the last of each among them. */
function pointsOf({ state, geometry }: Lowering): Point[] {
  const places = geometry.oh * geometry.ow;
  const [rows, columns] = geometry.matrix.shape;
  const some = (n: number) => [0, Math.floor(n / 2), n - 1];
  return [
    ...some(rows).map((at): Point => ({ of: 'output', at })),
    ...some(columns).map((at): Point => ({ of: 'input', at })),
    ...some(state.weights.length).map((at): Point => ({ of: 'weight', at })),
    ...some(state.ic * state.kh * state.kw).map((row): Point => ({ of: 'patch', row, column: row % places })),
    ...some(rows).map((row): Point => ({ of: 'entry', row, column: row % columns })),
  ];
}

test('the products of a window add up to its output, and are the entries of its row', () => {
  check(
    fc.property(states, (state) => {
      const lowering = lowered(state);
      const { geometry, values } = lowering;
      const places = geometry.oh * geometry.ow;
      const per = state.weights.length / state.oc;
      for (let at = 0; at < state.oc * places; at++) {
        const o = Math.floor(at / places);
        const window = windowOf(o, at % places, lowering);
        const sum = window.reduce((total, f, t) => total + state.weights[o * per + t] * values.frame[f], 0);
        expect(values.output[at]).toBeCloseTo(sum, 3);
        const lights = lightsOf({ of: 'output', at }, lowering);
        const columns = new Set(lights.toeplitz.cells.map((cell) => cell - at * geometry.matrix.shape[1]));
        const read = window.flatMap((f, t) =>
          state.weights[o * per + t] !== 0 && geometry.sources[f] >= 0 ? [geometry.sources[f]] : [],
        );
        expect(columns).toEqual(new Set(read));
        expect(lights.im2col.cells.map((cell) => values.columns[cell])).toEqual(
          window.map((f) => values.frame[f]),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('what lights up lies in its matrix, names itself, and is joined both ways', () => {
  check(
    fc.property(states, (state) => {
      const lowering = lowered(state);
      const { geometry } = lowering;
      const [rows, columns] = geometry.matrix.shape;
      for (const point of pointsOf(lowering)) {
        expect(isThere(point, lowering)).toBe(true);
        expect(pointNamed(nameOfPoint(point))).toEqual(point);
        const { im2col, toeplitz, outputs, inputs } = lightsOf(point, lowering);
        for (const cell of toeplitz.cells) expect(cell).toBeLessThan(rows * columns);
        for (const cell of im2col.cells) expect(cell).toBeLessThan(geometry.reads.length);
        expect(
          describe(point, lowering)
            .map(({ text }) => text)
            .join(''),
        ).toMatch(/\.$/);
        // An output that a pixel leads to reads that pixel.
        if (point.of === 'input') {
          for (const at of outputs)
            expect(lightsOf({ of: 'output', at }, lowering).inputs).toContain(point.at);
        }
        if (point.of === 'output') {
          for (const at of new Set(inputs))
            expect(lightsOf({ of: 'input', at }, lowering).outputs).toContain(point.at);
        }
      }
      expect(isThere({ of: 'output', at: rows }, lowering)).toBe(false);
    }),
    { numRuns: 60 },
  );
});
