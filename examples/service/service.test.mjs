/** The service end to end: a real HTTP client posts forms to it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { drawnFace } from './drawing.mjs';
import { buildService } from './server.mjs';

let service;
let url;
before(async () => {
  service = await buildService();
  url = `${await service.listen({ port: 0 })}/faces`;
});
after(() => service.close());

function post(bytes, to = url) {
  const form = new FormData();
  form.append('photograph', new Blob([bytes], { type: 'image/jpeg' }), 'face.jpg');
  return fetch(to, { method: 'POST', body: form });
}

test('finds the face that is drawn, where it is', async () => {
  const { faces } = await (await post(await drawnFace())).json();
  assert.equal(faces.length, 1);
  const [{ score, left, top, width, height }] = faces;
  assert.ok(score > 0.6);
  // The drawing's face spans 220 to 420 and 108 to 368.
  assert.ok(
    Math.abs(left + width / 2 - 320) < 30 && Math.abs(top + height / 2 - 250) < 50,
    JSON.stringify(faces),
  );
});

test('refuses what is no photograph, and requests without one', async () => {
  assert.equal((await post(Buffer.from('no image'))).status, 422);
  assert.ok((await fetch(url, { method: 'POST' })).status >= 400);
});

test('gives up when the budget is spent', async () => {
  const hurried = await buildService({ budgetMs: 0 });
  const address = `${await hurried.listen({ port: 0 })}/faces`;
  assert.equal((await post(await drawnFace(), address)).status, 503);
  await hurried.close();
});

test('serves many at once with the same answer', async () => {
  const photograph = await drawnFace();
  const answers = await Promise.all(Array.from({ length: 20 }, async () => (await post(photograph)).text()));
  assert.equal(new Set(answers).size, 1);
});
