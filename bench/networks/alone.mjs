// One network by one library in a process of its own: what it takes from a file to the first result, and how much memory
// the process ever held beside what it had once the library was loaded. Prints both as JSON.
//
//   node bench/networks/alone.mjs convmat|onnxruntime FILE SHAPE THREADS wall|cpu
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { clockOf } from '../timing.mjs';

const require = createRequire(import.meta.url);
const [library, file, shapeText, threadsText, clock] = process.argv.slice(2);
const [shape, threads] = [JSON.parse(shapeText), Number(threadsText)];
const now = clockOf(clock);
const data = new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5);

async function byConvmat() {
  // The bundle, which is what programs get.
  const dist = join(import.meta.dirname, '../../dist/node');
  const { setNumThreads, Tensor } = require(join(dist, 'index.cjs'));
  const { prepareNetwork } = require(join(dist, 'onnx.cjs'));
  setNumThreads(threads);
  return async () => {
    const network = await prepareNetwork(file);
    return network.run(new Tensor(data, shape));
  };
}

async function byOnnxruntime() {
  const ort = require('onnxruntime-node');
  return async () => {
    const session = await ort.InferenceSession.create(file, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    });
    return session.run({ [session.inputNames[0]]: new ort.Tensor('float32', data, shape) });
  };
}

/** Bytes of this process, resident now and at most, as Linux tells them. */
function resident() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (name) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]);
  return { now: of('VmRSS'), most: of('VmHWM') };
}

const first = await (library === 'convmat' ? byConvmat : byOnnxruntime)();
const before = resident();
const begin = now();
await first();
const ms = now() - begin;
console.log(JSON.stringify({ ms, bytes: resident().most - before.now }));
