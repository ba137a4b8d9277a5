// A convolution where there is no SharedArrayBuffer, as on pages that are not isolated from other origins.
delete globalThis.SharedArrayBuffer;
const { backendInfo, conv2d } = require('convmat');

const { data } = conv2d(
  [
    [
      [1, 2],
      [3, 4],
    ],
  ],
  [[[[2]]]],
);
console.log(JSON.stringify({ name: backendInfo().backend, values: Array.from(data) }));
