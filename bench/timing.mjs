// Clocks, and times of many rounds as two figures.

/** Milliseconds of the wall's clock, or of the processor's for the whole process: what a busy machine would hide. */
export function clockOf(name) {
  if (name !== 'cpu') return () => performance.now();
  return () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
}

/** Of times: the middle one and the least. */
export function figures(times) {
  const sorted = [...times].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0] };
}

/** Of figures that contenders have taken themselves, round by round: the middle median and the least minimum. */
export function figuresOf(rounds) {
  return {
    median: figures(rounds.map(({ median }) => median)).median,
    min: Math.min(...rounds.map(({ min }) => min)),
  };
}
