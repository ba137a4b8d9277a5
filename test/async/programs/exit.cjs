// Ends the process in the middle of calls. argv[2]: how.
const { join } = require('node:path');
const { conv2dAsync, Tensor } = require(join(__dirname, '../../../dist'));

const x = new Tensor(new Float32Array(2 * 16 * 64 * 64).fill(1), [2, 16, 64, 64]);
const w = new Tensor(new Float32Array(16 * 16 * 9).fill(1), [16, 16, 3, 3]);
const calls = Array.from({ length: 6 }, () => conv2dAsync(x, w, { padding: 1 }));
const report = (settled) => console.log(JSON.stringify({ settled }));

switch (process.argv[2]) {
  case 'exit':
    report(0);
    setTimeout(() => process.exit(0), 5);
    break;
  case 'throw':
    report(0);
    process.once('uncaughtException', () => process.exit(0));
    calls[0].then(() => {
      throw new Error('from a continuation');
    });
    break;
  default: // nothing else keeps the process alive: it must wait for the calls, and then end
    Promise.all(calls).then((results) => report(results.length));
}
