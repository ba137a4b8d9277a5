/** What a process holds over time, as areas one on the other, in an SVG that needs nothing else. */

const WIDTH = 900;
const HEIGHT = 420;
const LEFT = 70;
const BOTTOM = 40;
const TOP = 50;
const RIGHT = 20;

/** From the bottom up. What is resident and nobody's of these are threads' stacks, code, and what allocators keep. */
const AREAS = [
  { name: 'heaps of V8', of: ({ heap }) => heap, fill: '#4c78a8' },
  { name: 'array buffers', of: ({ buffers }) => buffers, fill: '#9ecae9' },
  { name: 'packed weights and the like', of: ({ packed }) => packed, fill: '#f58518' },
];
const MIB = 2 ** 20;

/** @param samples  [{ seconds, rss, heap, buffers, packed }] in bytes. */
export function memoryChart(samples, title) {
  const lastSecond = samples.at(-1).seconds;
  const most = Math.max(
    ...samples.map(({ rss, heap, buffers, packed }) => Math.max(rss, heap + buffers + packed)),
  );
  const step = [25, 50, 100, 200, 400, 800].find((size) => size * MIB * 10 > most) ?? 1600;
  const top = Math.ceil(most / MIB / step) * step;
  const x = (seconds) => LEFT + ((WIDTH - LEFT - RIGHT) * seconds) / lastSecond;
  const y = (bytes) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * bytes) / (top * MIB);
  const point = (seconds, bytes) => `${x(seconds).toFixed(1)},${y(bytes).toFixed(1)}`;
  const parts = [];
  let below = samples.map(() => 0);
  for (const { of, fill } of AREAS) {
    const above = samples.map((sample, i) => below[i] + of(sample));
    const upper = samples.map(({ seconds }, i) => point(seconds, above[i]));
    const lower = samples.map(({ seconds }, i) => point(seconds, below[i])).reverse();
    parts.push(`<polygon points="${upper.join(' ')} ${lower.join(' ')}" fill="${fill}"/>`);
    below = above;
  }
  const resident = samples.map(({ seconds, rss }) => point(seconds, rss)).join(' ');
  parts.push(`<polyline points="${resident}" fill="none" stroke="#222" stroke-width="1.5"/>`);
  for (let mib = 0; mib <= top; mib += step) {
    const at = y(mib * MIB).toFixed(1);
    parts.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="#0002"/>`);
    parts.push(`<text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end">${mib} MiB</text>`);
  }
  const minutes = lastSecond > 180;
  const unit = minutes ? 60 : 10;
  for (let seconds = 0; seconds <= lastSecond; seconds += unit) {
    const label = minutes ? `${seconds / 60} min` : `${seconds} s`;
    parts.push(
      `<text x="${x(seconds).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${label}</text>`,
    );
  }
  let legend = LEFT;
  for (const { name, fill } of [...AREAS, { name: 'resident', fill: '#222' }]) {
    parts.push(`<rect x="${legend}" y="28" width="12" height="12" fill="${fill}"/>`);
    parts.push(`<text x="${legend + 17}" y="38">${name}</text>`);
    legend += 60 + 7 * name.length;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="18" font-size="14">${title}</text>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}
