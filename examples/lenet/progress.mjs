// A progress bar on one line of a terminal; elsewhere (in a log, say) only the lines that stay.

const WIDTH = 30;
const { stdout } = process;

export function showProgress(label, share, text) {
  if (!stdout.isTTY) return;
  const filled = Math.round(share * WIDTH);
  stdout.write(`\r${label} ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${text}\x1b[K`);
}

/** Replaces the bar by a line that stays. */
export function finishProgress(line) {
  stdout.write(`${stdout.isTTY ? '\r\x1b[K' : ''}${line}\n`);
}
