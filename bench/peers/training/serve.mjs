// The far end of a training contender: one line of JSON per request on standard input, one per answer on standard output.
//   {"do":"losses","network":…,"folder":…}  reads parameters.f32, images.f32, labels.f32 for a network of networks.mjs;
//                               answers {losses} of the first five steps
//   {"do":"time","ms":…}        trains on for about that long; answers {median, min} in milliseconds per step
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const STEPS = 5;

/** makeStep({network, parameters, images, labels}) → a function that trains one step and returns its loss. */
export async function serve(makeStep) {
  let step;
  const handlers = {
    losses({ network, folder }) {
      const read = (name) => {
        const bytes = readFileSync(join(folder, `${name}.f32`));
        return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      };
      const [parameters, images, labels] = ['parameters', 'images', 'labels'].map(read);
      step = makeStep({ network, parameters, images, labels });
      return { losses: Array.from({ length: STEPS }, () => step()) };
    },
    time({ ms }) {
      const samples = [];
      const end = performance.now() + ms;
      do {
        const start = performance.now();
        step();
        samples.push(performance.now() - start);
      } while (performance.now() < end || samples.length < 3);
      samples.sort((a, b) => a - b);
      return { median: samples[samples.length >> 1], min: samples[0] };
    },
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    console.log(JSON.stringify(handlers[request.do](request)));
  }
}
