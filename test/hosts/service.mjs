/** A tiny service: smooths rows of numbers over HTTP. Asks itself once, prints what it got, and ends. */
import { createServer } from 'node:http';
import { backendInfo, prepareConv, tensor } from 'convmat';
import { conv2 } from 'convmat/signal';

const smooth = prepareConv(tensor(Float32Array.of(1, 2, 1), [1, 1, 3]), { padding: 1 });

const server = createServer(async (request, response) => {
  const rows = JSON.parse(new URL(request.url, 'http://localhost').searchParams.get('rows'));
  const smoothed = await smooth.runAsync([rows.map((row) => row)]);
  const twice = conv2([rows], [[1, 1]]);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ smoothed: smoothed.toNested(), twice: twice.toNested(), ...backendInfo() }));
});

server.listen(0, '127.0.0.1', async () => {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/?rows=[1,2,3,4]`);
  console.log(await answer.text());
  server.close();
});
