// The table of a run: on the terminal, as Markdown, and as an SVG chart.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { contenders } from './contenders.mjs';

/** Empty for what was not measured, or has no peer. */
const number = (value = Number.NaN) =>
  Number.isNaN(value) ? '' : value >= 100 ? value.toFixed(0) : value.toPrecision(3);

/** The fastest of convmat's own and of its peers, by median or by minimum; a peer that is rejected or wrong does not count. */
function best(times, own, figure) {
  const values = Object.entries(times)
    .filter(([name, time]) => Boolean(contenders[name].own) === own && !time.rejected && !time.wrong)
    .map(([, time]) => time[figure]);
  return Math.min(...values);
}

/** How many times faster convmat is than the best peer; NaN without a peer. */
function ratio(times, figure) {
  const peer = best(times, false, figure);
  return Number.isFinite(peer) ? peer / best(times, true, figure) : Number.NaN;
}

const cell = ({ median, rejected, wrong } = {}) =>
  wrong ? 'wrong' : `${number(median)}${rejected ? '!' : ''}`;

function tableOf({ contenders: names, rows, peak }) {
  const header = ['layer', ...names, 'GFLOP/s', 'ratio (median)', 'ratio (min)'];
  const body = rows.map(({ layer, times }) => [
    layer.id,
    ...names.map((name) => cell(times[name])),
    number(layer.flops / best(times, true, 'min') / 1e6),
    number(ratio(times, 'median')),
    number(ratio(times, 'min')),
  ]);
  return { header, body: [...body, ...sumsOf(names, rows)], peak };
}

/** Per network: each contender's sum over its convolutions, as often as the network has them. */
function sumsOf(names, rows) {
  const networks = [...new Set(rows.map(({ layer }) => layer.network))];
  return networks
    .map((network) => rows.filter(({ layer }) => layer.network === network))
    .filter((own) => own.length > 2)
    .map((own) => {
      const total = (name, figure) =>
        own.reduce((sum, { layer, times }) => sum + layer.count * (times[name]?.[figure] ?? Number.NaN), 0);
      const bestOf = (wanted, figure) =>
        Math.min(
          ...names
            .filter((name) => Boolean(contenders[name].own) === wanted)
            .map((name) => total(name, figure))
            .filter((value) => !Number.isNaN(value)),
        );
      const ratioOf = (figure) => number(bestOf(false, figure) / bestOf(true, figure));
      const medians = names.map((name) => total(name, 'median'));
      return [
        `${own[0].layer.network}: sum`,
        ...medians.map((value) => (Number.isNaN(value) ? '' : number(value))),
        '',
        ratioOf('median'),
        ratioOf('min'),
      ];
    });
}

function heading({ threads, rounds, peak }) {
  return `Milliseconds, median of ${rounds} rounds, ${threads} thread(s). Ratio: the best peer's time over convmat's. GFLOP/s from 2·multiplications of the direct sum and the minimum; one core multiplies ${peak.toFixed(0)} here. «!»: above that peak on one thread, not counted; «wrong»: another answer than the definition's, not timed.`;
}

export function printReport(report) {
  const { header, body } = tableOf(report);
  const all = [header, ...body];
  const widths = header.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  console.log(`${heading(report)}\n`);
  for (const row of all)
    console.log(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
    );
  const ratios = report.rows.map(({ times }) => ratio(times, 'median')).filter((value) => value > 0);
  if (ratios.length > 0) {
    const mean = Math.exp(ratios.reduce((sum, value) => sum + Math.log(value), 0) / ratios.length);
    console.log(
      `\n${ratios.length} layers with a peer: geometric mean ${mean.toFixed(2)}, least ${Math.min(...ratios).toFixed(2)}`,
    );
  }
}

/** Writes `${path}.md` and `${path}.svg`. */
export function writeReport(report, path) {
  const { header, body } = tableOf(report);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const [cpu] = cpus();
  const lines = [
    `# Convolution layers, ${new Date().toISOString().slice(0, 10)}`,
    '',
    `${cpu.model}, Node ${process.version}. ${heading(report)}`,
    '',
    line(header),
    line(header.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...body.map(line),
    '',
  ];
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.md`, lines.join('\n'));
  writeFileSync(`${path}.svg`, chart(report));
}

const ROW = 18;
const LABEL = 230;
const SCALE = 110;

/** One bar per layer: how many times faster than the best peer, with a line at 1. */
function chart({ rows }) {
  const bars = rows
    .map(({ layer, times }) => ({ id: layer.id, value: ratio(times, 'median') }))
    .filter(({ value }) => value > 0);
  const shown = (value) => Math.min(value, 6);
  const height = ROW * (bars.length + 2);
  const width = LABEL + SCALE * 6 + 60;
  const rowsOf = bars.map(({ id, value }, i) => {
    const y = ROW * (i + 1);
    const colour = value >= 1 ? '#2a7f62' : '#b3563a';
    return `<text x="${LABEL - 6}" y="${y + 12}" text-anchor="end">${id}</text><rect x="${LABEL}" y="${y + 2}" width="${(SCALE * shown(value)).toFixed(1)}" height="${ROW - 4}" fill="${colour}"/><text x="${(LABEL + SCALE * shown(value) + 4).toFixed(1)}" y="${y + 12}">${value.toFixed(2)}×</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="${LABEL}" y="12">times faster than the best peer</text>
${rowsOf.join('\n')}
<line x1="${LABEL + SCALE}" y1="${ROW}" x2="${LABEL + SCALE}" y2="${height - ROW}" stroke="black" stroke-dasharray="3 3"/>
</svg>
`;
}
