/** Dark or light: as the system is, or as the reader says. The documentation around this page keeps its choice in the same place. */

const KEY = 'tsd-theme';
const CHOICES = ['os', 'light', 'dark'] as const;
type Choice = (typeof CHOICES)[number];

/** Storage can be forbidden, by the reader or where a page has no origin. */
function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // The choice lasts as long as the page.
  }
}

function apply(choice: Choice): void {
  if (choice === 'os') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = choice;
}

/** @param changed  Told when colours are others than before. */
export function setUpTheme(select: HTMLSelectElement, changed: () => void): void {
  const choice = CHOICES.find((name) => name === stored()) ?? 'os';
  select.value = choice;
  apply(choice);
  select.addEventListener('change', () => {
    const chosen = CHOICES.find((name) => name === select.value) ?? 'os';
    store(chosen);
    apply(chosen);
    changed();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}
