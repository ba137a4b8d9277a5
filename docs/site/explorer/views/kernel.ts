/** The kernel: a field for each weight, one table for each pair of channels. */
import type { Colours } from '../colours.js';
import { largest } from '../colours.js';
import { make } from '../elements.js';
import type { Lights } from '../lights.js';
import type { Point } from '../point.js';
import type { State, Store } from '../state.js';

export interface KernelView {
  show(state: State, colours: Colours): void;
  light(lights: Lights): void;
}

/** Of a field, in CSS pixels, and what all that stand side by side may take. */
const LARGEST_CELL = 44;
const LEAST_CELL = 25;
const ROOM = 380;

/** @param point  Told the weight that the pointer or the focus is on. */
export function setUpKernel(
  root: HTMLElement,
  store: Store,
  point: (at: Point | undefined, by: 'pointer' | 'keys') => void,
): KernelView {
  let fields: HTMLInputElement[] = [];
  let lit: readonly number[] = [];
  let cell = LARGEST_CELL;

  const edit = (field: HTMLInputElement, at: number): void => {
    // A minus sign alone is the beginning of a number.
    if (field.value === '' || !Number.isFinite(field.valueAsNumber)) return;
    const weights = store.state.weights.slice();
    weights[at] = field.valueAsNumber;
    store.change({ weights, kernel: 'own' });
  };

  const build = (state: State): void => {
    const { oc, ic, groups, kh, kw } = state;
    const per = ic / groups;
    fields = [];
    const tables: HTMLElement[] = [];
    for (let o = 0; o < oc; o++) {
      for (let c = 0; c < per; c++) {
        const from = Math.floor((o * groups) / oc) * per + c;
        const label = oc * per > 1 ? `input channel ${from} to output channel ${o}` : 'kernel';
        const rows = Array.from({ length: kh }, (_, p) =>
          make(
            'tr',
            {},
            ...Array.from({ length: kw }, (_, q) => {
              const at = fields.length;
              const name = `Weight of tap ${p}, ${q}${oc * per > 1 ? `, ${label}` : ''}`;
              const field = make('input', { type: 'number', step: 'any', 'aria-label': name });
              field.addEventListener('input', () => edit(field, at));
              field.addEventListener('focus', () => point({ of: 'weight', at }, 'keys'));
              field.addEventListener('blur', () => point(undefined, 'keys'));
              field.addEventListener('pointerenter', () => point({ of: 'weight', at }, 'pointer'));
              field.addEventListener('pointerleave', () => point(undefined, 'pointer'));
              fields.push(field);
              return make('td', {}, field);
            }),
          ),
        );
        const caption = oc * per > 1 ? [make('caption', {}, `${from} → ${o}`)] : [];
        tables.push(
          make('table', { class: 'kernel', 'aria-label': label }, ...caption, make('tbody', {}, ...rows)),
        );
      }
    }
    root.replaceChildren(...tables);
    root.style.setProperty('--slices', `${per}`);
    cell = Math.max(LEAST_CELL, Math.min(LARGEST_CELL, Math.floor(ROOM / (per * kw))));
    root.style.setProperty('--cell', `${cell}px`);
  };

  let built = '';
  return {
    show(state, colours) {
      const { oc, ic, groups, kh, kw, weights } = state;
      const shape = [oc, ic, groups, kh, kw].join();
      if (shape !== built) build(state);
      built = shape;
      const tone = { kind: 'signed', most: largest(weights) } as const;
      fields.forEach((field, at) => {
        if (document.activeElement !== field || field.valueAsNumber !== weights[at])
          field.value = `${Number(weights[at].toPrecision(3))}`;
        field.style.fontSize = `${Math.min(14, (1.5 * cell) / field.value.length)}px`;
        field.style.background = `rgb(${colours.of(weights[at], tone).join(' ')})`;
        field.style.color = colours.on(weights[at], tone);
      });
    },
    light({ weights }) {
      for (const at of lit) fields[at]?.classList.remove('lit');
      for (const at of weights) fields[at]?.classList.add('lit');
      lit = weights;
    },
  };
}
