/** The fields beside the pictures: sizes, options, and names of images and kernels. */
import type { PaddingMode } from 'convmat';
import { byId, make } from '../elements.js';
import {
  drawImage,
  IMAGES,
  KERNEL_NAMES,
  kernelLabel,
  namedKernel,
  resizeImage,
  resizeKernel,
} from '../presets.js';
import { clamp, groupChoices, LIMITS, PADDING_MODES, type State, type Store } from '../state.js';

const NUMBERS = {
  height: LIMITS.side,
  width: LIMITS.side,
  ic: LIMITS.channels,
  oc: LIMITS.channels,
  kh: LIMITS.kernel,
  kw: LIMITS.kernel,
  stride: LIMITS.stride,
  dilation: LIMITS.dilation,
  padding: LIMITS.padding,
} as const;
type NumberKey = keyof typeof NUMBERS;

const number = (key: NumberKey): HTMLInputElement => byId(`control-${key}`, HTMLInputElement);
const select = (key: string): HTMLSelectElement => byId(`control-${key}`, HTMLSelectElement);

function option(value: string, label = value): HTMLOptionElement {
  return make('option', { value }, label);
}

/** A state with other sizes, whose pixels and weights keep their places, or are drawn anew where they have a name. */
function resized(state: State, part: Partial<State>): Partial<State> {
  const next = { ...state, ...part };
  const { ic, oc, height, width, kh, kw } = next;
  const choices = groupChoices(ic, oc);
  const groups = choices.includes(next.groups) ? next.groups : 1;
  const pixels =
    next.image === 'own' ? resizeImage(state, ic, height, width) : drawImage(next.image, ic, height, width);
  const isOwnSize = kh !== state.kh || kw !== state.kw;
  const named = kh === kw ? namedKernel(next.kernel, kh, { oc, ic, groups }) : undefined;
  const keeps = named !== undefined && named.kh === kh && named.kw === kw;
  const weights = keeps ? named.weights : resizeKernel(state, { oc, ic, groups, kh, kw });
  const kernel = keeps ? next.kernel : isOwnSize || next.kernel === 'own' ? 'own' : next.kernel;
  return { ...part, groups, pixels, weights, kernel, pin: undefined };
}

export function setUpControls(store: Store): void {
  select('image').append(...IMAGES.map((name) => option(name)), option('own', 'your own'));
  select('kernel').append(
    ...KERNEL_NAMES.map((name) => option(name, kernelLabel(name))),
    option('own', 'your own'),
  );
  select('paddingMode').append(...PADDING_MODES.map((mode) => option(mode)));

  for (const key of Object.keys(NUMBERS) as NumberKey[]) {
    const field = number(key);
    field.min = `${NUMBERS[key].least}`;
    field.max = `${NUMBERS[key].most}`;
    field.addEventListener('input', () => {
      if (field.value === '' || !Number.isFinite(field.valueAsNumber)) return;
      const value = clamp(field.valueAsNumber, NUMBERS[key]);
      if (value === store.state[key]) return;
      const isSize = !['stride', 'dilation', 'padding'].includes(key);
      store.change(isSize ? resized(store.state, { [key]: value }) : { [key]: value, pin: undefined });
    });
    field.addEventListener('change', () => {
      field.value = `${store.state[key]}`;
    });
  }
  select('image').addEventListener('change', ({ target }) => {
    if (!(target instanceof HTMLSelectElement) || target.value === 'own') return;
    const { ic, height, width } = store.state;
    store.change({ image: target.value, pixels: drawImage(target.value, ic, height, width) });
  });
  select('kernel').addEventListener('change', ({ target }) => {
    if (!(target instanceof HTMLSelectElement)) return;
    store.change({ ...namedKernel(target.value, store.state.kh, store.state), pin: undefined });
  });
  select('paddingMode').addEventListener('change', ({ target }) => {
    if (target instanceof HTMLSelectElement)
      store.change({ paddingMode: target.value as PaddingMode, pin: undefined });
  });
  select('groups').addEventListener('change', ({ target }) => {
    if (target instanceof HTMLSelectElement)
      store.change(resized(store.state, { groups: Number(target.value) }));
  });
  store.listen(showControls);
  showControls(store.state);
}

function showControls(state: State): void {
  for (const key of Object.keys(NUMBERS) as NumberKey[]) {
    const field = number(key);
    // What is being typed stays as it is: a 1 may become a 12.
    if (document.activeElement !== field || field.valueAsNumber !== state[key]) field.value = `${state[key]}`;
  }
  select('image').value = IMAGES.includes(state.image) ? state.image : 'own';
  select('kernel').value = KERNEL_NAMES.includes(state.kernel) ? state.kernel : 'own';
  select('paddingMode').value = state.paddingMode;
  select('paddingMode').disabled = state.padding === 0;
  const groups = select('groups');
  const choices = groupChoices(state.ic, state.oc);
  groups.replaceChildren(...choices.map((n) => option(`${n}`)));
  groups.value = `${state.groups}`;
  groups.disabled = choices.length === 1;
}
