/** Fifty requests at a time for some seconds: throughput, the longest turn of the event loop, memory. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { drawnFace } from './drawing.mjs';
import { buildService } from './server.mjs';

const [CONCURRENT, SECONDS] = [50, 10];
const service = await buildService({ budgetMs: 60_000 });
const url = `${await service.listen({ port: 0 })}/faces`;
const photograph = await drawnFace();
const delays = monitorEventLoopDelay({ resolution: 1 });
let served = 0;
const end = performance.now() + 1000 * SECONDS;
delays.enable();
await Promise.all(
  Array.from({ length: CONCURRENT }, async () => {
    while (performance.now() < end) {
      const form = new FormData();
      form.append('photograph', new Blob([photograph]), 'face.jpg');
      const response = await fetch(url, { method: 'POST', body: form });
      if (!response.ok) throw new Error(await response.text());
      await response.json();
      served++;
    }
  }),
);
delays.disable();
console.log(`${(served / SECONDS).toFixed(1)} photographs/s, ${CONCURRENT} at a time`);
console.log(
  `longest turn of the event loop ${(delays.max / 1e6).toFixed(0)} ms, 99 % below ${(delays.percentile(99) / 1e6).toFixed(0)} ms`,
);
console.log(`memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB at most`);
await service.close();
