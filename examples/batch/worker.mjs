/** A worker of the queue: as many as there are machines, each of them this program with the address of one Redis. */
import { Worker } from 'bullmq';
import { CONNECTION, QUEUE } from './connection.mjs';
import detect from './detect.mjs';

const worker = new Worker(QUEUE, async ({ data }) => detect(data.path), {
  connection: CONNECTION,
  // What a killed worker held goes to another one when its lock has expired.
  lockDuration: 2000,
  stalledInterval: 1000,
  maxStalledCount: 3,
});
await worker.waitUntilReady();
process.send?.('ready');
