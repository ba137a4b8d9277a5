/** Where the queue is. */
export const QUEUE = 'faces';
export const CONNECTION = {
  host: process.env.REDIS_HOST ?? '127.0.0.1',
  port: Number(process.env.REDIS_PORT ?? 6390),
};
