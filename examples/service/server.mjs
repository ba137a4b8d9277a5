/** POST /faces with a photograph as a form's file: the faces in it as JSON. A request has a time budget. */
import multipart from '@fastify/multipart';
import Fastify from 'fastify';
import { loadDetector } from './faces.mjs';

const LARGEST = 20 * 2 ** 20;

export async function buildService({ budgetMs = 2000, ...options } = {}) {
  const detector = await loadDetector();
  const service = Fastify(options);
  await service.register(multipart, { limits: { fileSize: LARGEST, files: 1 } });
  service.addHook('onClose', async () => detector.dispose());

  service.post('/faces', async (request, reply) => {
    const file = await request.file();
    if (file === undefined) return reply.code(400).send({ error: 'expected a photograph, got no file' });
    const photograph = await file.toBuffer();
    try {
      const faces = await detector.detect(photograph, { signal: AbortSignal.timeout(budgetMs) });
      return { faces };
    } catch (error) {
      if (error.name === 'TimeoutError') return reply.code(503).send({ error: 'too busy' });
      return reply.code(422).send({ error: 'expected a photograph that sharp reads' });
    }
  });
  return service;
}

if (import.meta.filename === process.argv[1]) {
  const service = await buildService({ logger: true });
  await service.listen({ port: Number(process.env.PORT ?? 3000) });
}
