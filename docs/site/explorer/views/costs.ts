/** What each way costs, as convmat's explainConv counts it, and the program that does the same. */
import type { Cost, Explanation } from 'convmat';
import { make } from '../elements.js';
import type { Lowering } from '../lowering.js';
import type { State, Way } from '../state.js';
import { count } from '../words.js';

type Algorithm = Cost['algorithm'];

const NAMES: Readonly<Record<Algorithm, string>> = {
  im2col: 'im2col + GEMM',
  toeplitz: 'Toeplitz + SpMV',
  'dense-toeplitz': 'the same matrix, with its zeros',
  direct: 'direct, tap by tap',
  depthwise: 'direct, channel by channel',
  winograd: 'Winograd',
  fft: 'Fourier transforms',
};

/** The two ways first, then the matrix in full, then what else could run. */
const FIRST: readonly Algorithm[] = ['im2col', 'toeplitz', 'dense-toeplitz'];

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), units.length - 1);
  return `${Number((value / 1000 ** power).toPrecision(3))} ${units[power]}`;
}

export function showCosts(body: HTMLElement, note: HTMLElement, explanation: Explanation, way: Way): void {
  const { costs, chosen, reason } = explanation;
  const sorted = [
    ...FIRST.flatMap((name) => costs.filter(({ algorithm }) => algorithm === name)),
    ...costs.filter(({ algorithm }) => !FIRST.includes(algorithm)),
  ];
  const rows = sorted.map(({ algorithm, multiplications, additions, bytes: moved, extraBytes }) => {
    const name = NAMES[algorithm];
    const row = make(
      'tr',
      algorithm === way ? { class: 'chosen' } : {},
      make(
        'th',
        { scope: 'row' },
        name,
        ...(algorithm === chosen ? [make('span', { class: 'runs' }, 'runs here')] : []),
      ),
      make('td', {}, count(multiplications)),
      make('td', {}, count(additions)),
      make('td', {}, bytes(moved)),
      make('td', {}, bytes(extraBytes)),
    );
    return row;
  });
  body.replaceChildren(...rows);
  note.textContent = `convmat takes ${chosen} for it: ${reason}.`;
}

/** The options that differ from their defaults, as a program writes them. */
function optionsOf(
  state: State,
  keys: readonly ('stride' | 'dilation' | 'padding' | 'paddingMode' | 'groups')[],
): string[] {
  const usual = { stride: 1, dilation: 1, padding: 0, paddingMode: 'zeros', groups: 1 };
  return keys
    .filter((key) => state[key] !== usual[key] && (key !== 'paddingMode' || state.padding > 0))
    .map((key) => `${key}: ${typeof state[key] === 'string' ? `'${state[key]}'` : state[key]}`);
}

function braces(parts: readonly string[]): string {
  return parts.length === 0 ? '' : `, { ${parts.join(', ')} }`;
}

const MOST_LITERALS = 27;

/** The same in a program of a few lines. */
export function programOf({ state, geometry }: Lowering): string {
  const { ic, height, width, oc, groups, kh, kw, weights } = state;
  const windowOptions = optionsOf(state, ['stride', 'dilation', 'padding', 'paddingMode']);
  const options = optionsOf(state, ['stride', 'dilation', 'padding', 'paddingMode', 'groups']);
  const values =
    weights.length <= MOST_LITERALS
      ? `Float32Array.of(${Array.from(weights, (w) => Number(w.toPrecision(7))).join(', ')})`
      : 'weights';
  const given = [
    `const image = tensor(pixels, [${ic}, ${height}, ${width}]);`,
    `const weight = tensor(${values}, [${[oc, ic / groups, kh, kw].join(', ')}]);`,
  ];
  if (state.way === 'im2col')
    return [
      "import { conv2d, tensor, unfold } from 'convmat';",
      '',
      ...given,
      `const columns = unfold(image, [${kh}, ${kw}]${braces(windowOptions)}); // [${ic * kh * kw}, ${geometry.oh * geometry.ow}]`,
      `const output = conv2d(image.reshape([1, ${ic}, ${height}, ${width}]), weight${braces(options)}); // weight · columns`,
    ].join('\n');
  return [
    "import { convMatrix, tensor } from 'convmat';",
    '',
    ...given,
    `const B = convMatrix(weight${braces([`inputShape: [${ic}, ${height}, ${width}]`, ...options])});`,
    `B.shape; // [${geometry.matrix.shape.join(', ')}], with ${count(geometry.matrix.nnz)} entries`,
    'const output = B.matvec(image.data);',
  ].join('\n');
}
