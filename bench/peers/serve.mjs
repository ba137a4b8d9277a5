// The far end of a contender: one line of JSON per request on standard input, one per answer on standard output.
//   {"do":"prepare","layer":…,"folder":…}   reads input.f32, weight.f32, bias.f32 in the folder; answers {} or {unsupported}
//   {"do":"result","file":…}                runs once, writes the output's float32 values
//   {"do":"time","ms":…}                    runs for about that long, once if that is longer; answers {median, min} in
//                                          milliseconds per run
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Timer ticks are coarse beside a tiny convolution: runs are timed in batches of at least this long. */
const BATCH_MS = 0.05;

const floats = (file) => {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};

/**
 * prepare(layer, {input, weight, bias}) → null when the layer is not served, or {run, result}: `run` computes once and
 * may return a promise; `result` gives the values of the last run as NCHW float32.
 */
export async function serve(prepare) {
  let job = null;
  const handlers = {
    async prepare({ layer, folder }) {
      const read = (name) => floats(join(folder, `${name}.f32`));
      job = await prepare(layer, { input: read('input'), weight: read('weight'), bias: read('bias') });
      return job === null ? { unsupported: true } : {};
    },
    async result({ file }) {
      await job.run();
      writeFileSync(file, await job.result());
      return {};
    },
    time: ({ ms }) => time(job.run, ms),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    console.log(JSON.stringify(await handlers[request.do](request)));
  }
}

async function time(run, ms) {
  const once = async (count) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      const pending = run();
      if (pending instanceof Promise) await pending;
    }
    return (performance.now() - start) / count;
  };
  const first = await once(1);
  if (first > ms) return { median: first, min: first };
  const batch = Math.max(1, Math.ceil(BATCH_MS / (await once(3))));
  const samples = [];
  const end = performance.now() + ms;
  do samples.push(await once(batch));
  while (performance.now() < end || samples.length < 3);
  samples.sort((a, b) => a - b);
  return { median: samples[samples.length >> 1], min: samples[0] };
}
