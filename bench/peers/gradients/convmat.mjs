// convmat itself, by the protocol of gradients.bench.mjs: {do: 'prepare'} reads x.f32, w.f32 and g.f32 and writes both
// gradients; {do: 'time', what, ms} answers {median, min} in milliseconds.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);
const { convInputGrad, convWeightGrad, Tensor } = require('../../../dist/index.js');

let runs;

function prepare({ folder, as, batch, ic, oc, size, kernel, stride, padding, out }) {
  const read = (name, shape) => {
    const bytes = readFileSync(join(folder, `${name}.f32`));
    return new Tensor(
      new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
      shape,
    );
  };
  const [inputShape, weightShape] = [
    [batch, ic, size, size],
    [oc, ic, kernel, kernel],
  ];
  const x = read('x', inputShape);
  const w = read('w', weightShape);
  const g = read('g', [batch, oc, out, out]);
  const geometry = { stride, padding };
  const input = () => convInputGrad(inputShape, w, g, geometry);
  const weight = () => convWeightGrad(x, weightShape, g, geometry);
  runs = {
    input,
    weight,
    both: () => {
      input();
      weight();
    },
  };
  writeFileSync(join(folder, `${as}.input.f32`), input().data);
  writeFileSync(join(folder, `${as}.weight.f32`), weight().data);
  return {};
}

function time({ what, ms }) {
  const run = runs[what];
  const samples = [];
  const end = performance.now() + ms;
  do {
    const start = performance.now();
    run();
    samples.push(performance.now() - start);
  } while (performance.now() < end || samples.length < 5);
  samples.sort((a, b) => a - b);
  return { median: samples[samples.length >> 1], min: samples[0] };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(JSON.stringify(request.do === 'prepare' ? prepare(request) : time(request)));
}
