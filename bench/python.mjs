// Peers in Python: one line of JSON per request on standard input, one per answer on standard output.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Where a module can be had, which is told when it is not there. */
const PACKAGES = {
  torch: { title: 'PyTorch', debian: 'python3-torch' },
  scipy: { title: 'SciPy', debian: 'python3-scipy' },
};

/** A Python that has the module; the system's first, which has Debian's packages whatever else is on the path. */
export function pythonWith(module) {
  return ['/usr/bin/python3', 'python3'].find(
    (python) => spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0,
  );
}

/** As pythonWith; ends the process with a line when there is none. */
export function needPython(module) {
  const python = pythonWith(module);
  if (python !== undefined) return python;
  const { title, debian } = PACKAGES[module];
  console.error(
    `missing: Python with ${title} (Debian: apt-get install ${debian}; elsewhere: pip install ${module})`,
  );
  process.exit(1);
}

/** Starts bench/peers/`script`. ask(request) resolves with its answer. */
export function startPython(python, script, { args = [], env = {} } = {}) {
  const path = fileURLToPath(new URL(`./peers/${script}`, import.meta.url));
  const child = spawn(python, [path, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(`${script} ended without an answer`);
      return JSON.parse(value);
    },
    stop: () => child.stdin.end(),
  };
}

/** One thread, as the other side has. */
export const ONE_THREAD = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
