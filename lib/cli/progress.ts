/** A progress bar on standard error, where a person sees it: nothing is drawn into files and pipes. */
const WIDTH = 30;
/** Work that ends sooner needs no bar. */
const PATIENCE_MS = 300;

/** Runs `work`, which may report the share that is done, from 0 to 1. */
export async function withProgress<R>(
  label: string,
  work: (done: (share: number) => void) => Promise<R>,
): Promise<R> {
  const { stderr } = process;
  const start = performance.now();
  let drawn = false;
  const draw = (share: number): void => {
    if (!stderr.isTTY || performance.now() - start < PATIENCE_MS) return;
    const full = Math.round(WIDTH * share);
    const percent = `${Math.floor(100 * share)}`.padStart(3);
    stderr.write(`\r${label} [${'█'.repeat(full)}${' '.repeat(WIDTH - full)}] ${percent} %`);
    drawn = true;
  };
  try {
    return await work(draw);
  } finally {
    if (drawn) stderr.write('\r\x1b[K');
  }
}
