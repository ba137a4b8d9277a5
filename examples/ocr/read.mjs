/** Reads the text of a photograph with @gutenye/ocr-node, which knows nothing of convmat, and prints it as JSON. */
import Ocr from '@gutenye/ocr-node';

const [path] = process.argv.slice(2);
const start = performance.now();
const ocr = await Ocr.create();
const first = await ocr.detect(path);
const loaded = performance.now();
const lines = await ocr.detect(path);
const read = performance.now();
console.log(
  JSON.stringify({
    lines: lines.map(({ text }) => text),
    same: JSON.stringify(first.map(({ text }) => text)) === JSON.stringify(lines.map(({ text }) => text)),
    firstMs: loaded - start,
    readMs: read - loaded,
    peakBytes: 1024 * process.resourceUsage().maxRSS,
  }),
);
