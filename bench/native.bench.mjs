// Kernels alone, without Node: builds the C++ benches of bench/native and runs them, and makes a table by layer, algorithm and
// instruction set of what they print, as Markdown and a chart: the share of the FMA peak that the same run measured, and the
// ratio to OpenBLAS and oneDNN where they are there.
//
//   npm run bench:native [-- --filter resnet50] [--out bench/results/latest-native]
//
// The raw rows are in OUT.json.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { need } from '../scripts/needs.mjs';

const { values: options } = parseArgs({
  options: {
    filter: { type: 'string' },
    out: { type: 'string', default: 'bench/results/latest-native' },
  },
});
const root = join(import.meta.dirname, '..');
const build = join(root, 'build-cmake');

// ───────────────────────────── building and running ─────────────────────────────

/** One line that is written over on a terminal; elsewhere a line now and then. */
let shown = 0;
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (performance.now() - shown > 15_000) {
    shown = performance.now();
    process.stderr.write(`${text}\n`);
  }
}
function endProgress() {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

/** Runs a program to its end; `tell` gets what it prints, `tick` is called each second. */
function run(program, args, { tell = () => {}, tick = () => {}, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env } });
    const printed = [];
    const hear = (chunk) => {
      printed.push(chunk);
      tell(`${chunk}`);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const start = performance.now();
    const ticking = setInterval(() => tick(Math.round((performance.now() - start) / 1000)), 1000);
    child.on('error', reject);
    child.on('close', (status) => {
      clearInterval(ticking);
      if (status === 0) resolve();
      else
        reject(
          new Error(`${program} ${args.join(' ')} ended with ${status}:\n${printed.join('').slice(-4000)}`),
        );
    });
  });
}

/** What CMake found, or «…-NOTFOUND». */
function cached(variable) {
  const line = readFileSync(join(build, 'CMakeCache.txt'), 'utf8').match(
    new RegExp(`^${variable}:\\w+=(.*)$`, 'm'),
  );
  return line !== null && !/NOTFOUND$/.test(line[1]);
}

async function buildBenches() {
  need('cmake', 'compiler');
  progress('configuring …');
  const switches = ['-DCMAKE_BUILD_TYPE=Release', '-DCONVMAT_TESTS=OFF', '-DCONVMAT_BENCHES=ON'];
  await run('cmake', ['-S', root, '-B', build, ...switches]);
  if (!cached('benchmark_DIR')) {
    endProgress();
    console.error(
      'missing: google-benchmark (Debian: apt-get install libbenchmark-dev; macOS: brew install google-benchmark; Windows: vcpkg install benchmark)',
    );
    process.exit(1);
  }
  const jobs = ['-j', `${availableParallelism()}`, '--config', 'Release'];
  const tell = (text) => {
    const [, percent] = text.match(/\[ *(\d+)%\][^[]*$/) ?? [];
    if (percent !== undefined) progress(`building ${percent} %`);
  };
  await run('cmake', ['--build', build, ...jobs, '--target', 'gemm_bench', 'conv_bench'], { tell });
  endProgress();
  for (const [library, name, how] of [
    ['OPENBLAS_LIBRARY', 'OpenBLAS', 'apt-get install libopenblas-dev'],
    ['DNNL_LIBRARY', 'oneDNN', 'apt-get install libdnnl-dev'],
  ])
    if (!cached(library)) console.error(`without ${name}, which is not there (Debian: ${how})`);
}

/** A bench's rows: [name, aggregate → GF/s], and its errors. */
async function measure(bench) {
  const out = join(build, `${bench}.json`);
  const filter = options.filter === undefined ? [] : [`--benchmark_filter=^peak/|${options.filter}`];
  const args = [`--benchmark_out=${out}`, '--benchmark_out_format=json', ...filter];
  const env = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  await run(join(build, bench), args, { env, tick: (seconds) => progress(`${bench}, ${seconds} s`) });
  endProgress();
  const { context, benchmarks } = JSON.parse(readFileSync(out, 'utf8'));
  const rows = new Map();
  for (const row of benchmarks) {
    // How it was run stands behind its name.
    const name = row.run_name.replace(/\/(min_time|repeats):.*$/, '');
    // The kernels of floats are those of avx512 there.
    if (name.endsWith('/amx')) continue;
    if (row.error_occurred) {
      rows.set(name, { error: row.error_message });
    } else if (row.run_type === 'aggregate') {
      const rates = rows.get(name) ?? {};
      rates[row.aggregate_name] = row['GF/s'];
      rows.set(name, rates);
    }
  }
  // They come in the order in which they ended.
  return { context, benchmarks, rows: new Map([...rows].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

// ───────────────────────────── the table ─────────────────────────────

const number = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const percent = (share) => `${(100 * share).toFixed(0)} %`;

/** By layer and algorithm: GF/s of each instruction set and of each peer, as { median, max }. */
function grouped(rows, peerName) {
  const layers = new Map();
  for (const [name, rates] of rows) {
    const parts = name.split('/');
    if (parts[0] === 'peak') continue;
    const last = parts.pop();
    const isPeer = last === peerName || parts.at(-1) === peerName;
    // Of layers, the algorithm stands before the instruction set; a matrix product has but one.
    const algorithm = peerName === 'openblas' ? 'gemm' : parts.pop();
    const layer = parts.join('/');
    const group = layers.get(layer) ?? { own: new Map(), peers: [] };
    layers.set(layer, group);
    if (isPeer) group.peers.push(rates);
    else {
      const byIsa = group.own.get(algorithm) ?? new Map();
      byIsa.set(last, rates);
      group.own.set(algorithm, byIsa);
    }
  }
  return layers;
}

const fastest = (all, figure) =>
  Math.max(...all.map((rates) => rates[figure] ?? Number.NaN).filter((rate) => rate > 0));

/** Rows of the table: the layer's fastest algorithm first. */
function tableRows(layers, isas, peaks) {
  return [...layers].flatMap(([layer, { own, peers }]) =>
    [...own]
      .map(([algorithm, byIsa]) => ({ layer, algorithm, byIsa, best: fastest([...byIsa.values()], 'max') }))
      .sort((a, b) => b.best - a.best)
      .map(({ algorithm, byIsa, best }) => ({
        layer,
        algorithm,
        best,
        cells: isas.map((isa) => {
          const rates = byIsa.get(isa);
          if (rates === undefined) return '';
          return rates.error ?? `${number(rates.max)} (${percent(rates.max / peaks.get(isa))})`;
        }),
        ratio: best / fastest(peers, 'max'),
        ratioOfMedians: fastest([...byIsa.values()], 'median') / fastest(peers, 'median'),
      })),
  );
}

function markdown(title, rows, isas, peer) {
  const header = ['', 'algorithm', ...isas, `ratio to ${peer} (best)`, '(median)'];
  const ratio = (value) => (Number.isFinite(value) ? value.toFixed(2) : '');
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    `## ${title}`,
    '',
    line(header),
    line(header.map((_, i) => (i < 2 ? '---' : '---:'))),
    ...rows.map(({ layer, algorithm, cells, ratio: best, ratioOfMedians }, i) =>
      line([
        layer === rows[i - 1]?.layer ? '' : layer,
        algorithm,
        ...cells,
        ratio(best),
        ratio(ratioOfMedians),
      ]),
    ),
    '',
  ];
}

const ROW = 16;
const LABEL = 260;
const WIDTH = 420;

/** The fastest algorithm of each layer, as a share of the fastest instruction set's peak; Winograd's may pass it. */
function chart(rows, peak) {
  const bars = rows.filter(({ layer }, i) => layer !== rows[i - 1]?.layer);
  const most = Math.max(1, ...bars.map(({ best }) => best / peak));
  const height = ROW * (bars.length + 2);
  const at = (share) => (LABEL + (WIDTH * share) / most).toFixed(1);
  const drawn = bars.map(({ layer, algorithm, best }, i) => {
    const y = ROW * (i + 1);
    return `<text x="${LABEL - 6}" y="${y + 12}" text-anchor="end">${layer}, ${algorithm}</text><rect x="${LABEL}" y="${y + 2}" width="${(at(best / peak) - LABEL).toFixed(1)}" height="${ROW - 4}" fill="#2a7f62"/><text x="${Number(at(best / peak)) + 4}" y="${y + 12}">${percent(best / peak)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LABEL + WIDTH + 60} ${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="${LABEL}" y="12">share of the FMA peak (direct sums; an algorithm that multiplies less may pass it)</text>
${drawn.join('\n')}
<line x1="${at(1)}" y1="${ROW}" x2="${at(1)}" y2="${height - ROW}" stroke="black" stroke-dasharray="3 3"/>
</svg>
`;
}

await buildBenches();
const layers = await measure('conv_bench');
const products = await measure('gemm_bench');
const peaks = new Map(
  [...layers.rows]
    .filter(([name]) => name.startsWith('peak/'))
    .map(([name, { max }]) => [name.split('/').at(-1), max]),
);
const isas = [...peaks.keys()].sort((a, b) => peaks.get(b) - peaks.get(a));
const layerRows = tableRows(grouped(layers.rows, 'dnnl'), isas, peaks);
const productRows = tableRows(grouped(products.rows, 'openblas'), isas, peaks);
const text = [
  `# Kernels alone, ${new Date().toISOString().slice(0, 10)}`,
  '',
  `${cpus()[0].model}, one thread. GFLOP/s of the direct sum, the best of some rounds in random order, and the share of the peak that the same run measured: ${isas.map((isa) => `${isa} ${number(peaks.get(isa))}`).join(', ')} GFLOP/s. Ratios above 1: convmat is faster.`,
  '',
  ...markdown('Layers', layerRows, isas, 'oneDNN'),
  ...markdown('Matrix products', productRows, isas, 'OpenBLAS'),
].join('\n');
const out = join(root, options.out);
mkdirSync(dirname(out), { recursive: true });
writeFileSync(`${out}.md`, text);
writeFileSync(`${out}.svg`, chart([...productRows, ...layerRows], peaks.get(isas[0])));
writeFileSync(
  `${out}.json`,
  JSON.stringify([layers, products].map(({ context, benchmarks }) => ({ context, benchmarks }))),
);
console.log(text);
console.log(`${options.out}.md, .svg; raw rows in ${options.out}.json`);
