/** The colours of numbers and of lights, as the style sheet has them for the theme in use. */

export type Role = 'read' | 'written' | 'tap';
type Rgb = readonly [red: number, green: number, blue: number];

/** How a block shows its numbers: pixels as grey from 0 to `most`, others from negative over paper to positive. */
export interface Tone {
  readonly kind: 'grey' | 'signed';
  readonly most: number;
}

export interface Colours {
  readonly role: Readonly<Record<Role, string>>;
  readonly line: string;
  readonly ink: string;
  readonly paper: string;
  readonly faint: string;
  /** [red, green, blue] of a number. */
  of(value: number, tone: Tone): Rgb;
  /** What is legible on it. */
  on(value: number, tone: Tone): string;
}

/** A colour of the style sheet in the theme in use, as rgb(red, green, blue). */
function resolve(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function rgb(name: string): Rgb {
  const [red = 0, green = 0, blue = 0] = (resolve(name).match(/\d+/g) ?? []).map(Number);
  return [red, green, blue];
}

const STEPS = 64;

/** From a to b in STEPS, so that a colour is looked up and not made for each pixel. */
function ramp(a: Rgb, b: Rgb): readonly Rgb[] {
  return Array.from({ length: STEPS + 1 }, (_, step) => {
    const mix = (channel: 0 | 1 | 2): number =>
      Math.round(a[channel] + ((b[channel] - a[channel]) * step) / STEPS);
    return [mix(0), mix(1), mix(2)] as const;
  });
}

export function readColours(): Colours {
  const ramps = {
    grey: ramp(rgb('--pixel-dark'), rgb('--pixel-light')),
    positive: ramp(rgb('--zero'), rgb('--positive')),
    negative: ramp(rgb('--zero'), rgb('--negative')),
  };
  const of = (value: number, { kind, most }: Tone): Rgb => {
    const share = most > 0 ? Math.min(Math.abs(value) / most, 1) : 0;
    const step = Number.isNaN(share) ? 0 : Math.round(share * STEPS);
    if (kind === 'grey') return ramps.grey[value < 0 ? 0 : step];
    return (value < 0 ? ramps.negative : ramps.positive)[step];
  };
  return {
    role: { read: resolve('--read'), written: resolve('--written'), tap: resolve('--tap') },
    line: resolve('--line'),
    ink: resolve('--ink'),
    paper: resolve('--paper'),
    faint: resolve('--faint'),
    of,
    on(value, tone) {
      const [red, green, blue] = of(value, tone);
      return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? '#17181a' : '#ffffff';
    },
  };
}

export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}
