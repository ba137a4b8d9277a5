/** `convmat doctor`: what this machine has, what convmat found, and what it runs on. */
import { availableParallelism, cpus } from 'node:os';
import { Command } from 'commander';
import { addonReport, wasmIsas } from '../backend/select.js';
import { lackOf } from '../backend/wasm/loader.js';
import { backendInfo } from '../machine.js';
import { ISAS } from '../plan/isa-list.js';
import { runningLibc } from './libc.js';
import { print } from './output.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show platform, CPU, instruction sets, threads, and how the addon was found or why not')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) => {
      const report = examine();
      if (options.json) print(JSON.stringify(report, null, 2));
      else for (const [name, value] of Object.entries(report)) print(`${name.padEnd(16)}${format(value)}`);
    });
}

function examine() {
  const { backend, isa, threads, fallbackReason, version } = backendInfo();
  const { isas, cpuFeatures, from } = addonReport();
  return {
    convmat: version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    libc: libcName(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    'CPU features': cpuFeatures,
    'runs here': [...isas, ...wasmIsas(), 'js'],
    WebAssembly: lackOf(ISAS.wasm[0]) ?? 'with relaxed instructions',
    backend,
    'in use': isa,
    threads,
    addon: from ?? `none: ${fallbackReason}`,
    environment: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => name.startsWith('CONVMAT_')),
    ),
  };
}

/** With its version, where Node reports it: of glibc alone. */
function libcName(): string {
  const { header } = (process.report?.getReport() ?? {}) as { header?: { glibcVersionRuntime?: string } };
  return [runningLibc() ?? 'the system’s own', header?.glibcVersionRuntime].filter(Boolean).join(' ');
}

function format(value: unknown): string {
  if (Array.isArray(value)) return value.join(' ') || 'none known';
  if (typeof value !== 'object' || value === null) return String(value);
  return (
    Object.entries(value)
      .map(([name, setting]) => `${name}=${setting}`)
      .join(' ') || 'no CONVMAT_ variable set'
  );
}
