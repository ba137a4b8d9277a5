/** The answers of test/hosts/page.mjs, from a thread of the page's own. */
import '../../hosts/page.mjs';

declare const answers: Promise<unknown>;

answers.then(
  (value) => postMessage(value),
  (error) => postMessage(String(error)),
);
