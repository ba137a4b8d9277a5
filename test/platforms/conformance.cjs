/**
 * The golden data, in any program that runs JavaScript with Node's modules: no test runner, no dependency.
 *
 *   node conformance.cjs PACKAGE_FOLDER [REPORT_FILE]
 *
 * Prints, and writes to the file when one is named (Wine's output does not reach a pipe), one line of JSON:
 * { info, passed, failed: [message…] }. test/ops holds the same data to tighter bounds where it has a test runner.
 */
const { readFileSync, writeFileSync } = require('node:fs');
const { join, resolve } = require('node:path');

const [folder, reportFile] = process.argv.slice(2);
const convmat = require(resolve(folder));
const signal = require(join(resolve(folder), 'dist/signal/index.js'));

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
};
const UNIT_ROUNDOFF = { float32: 2 ** -24, float64: 2 ** -53 };

function decode(value) {
  if (value?.data === undefined || value.dtype === undefined) return value;
  const { buffer } = Uint8Array.from(Buffer.from(value.data, 'base64'));
  return convmat.tensor(new ARRAYS[value.dtype](buffer), value.shape);
}

function decodeAll(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, decode(value)]));
}

function cases(family) {
  const { cases } = JSON.parse(readFileSync(join(__dirname, `../golden/${family}.json`), 'utf8'));
  return cases.map(({ id, call, args, tensors, expected }) => ({
    id: `${family}: ${id}`,
    call,
    args,
    tensors: decodeAll(tensors),
    expected: decodeAll(expected),
  }));
}

const product = (sizes) => sizes.reduce((a, b) => a * b, 1);
const largest = ({ data }) =>
  data.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);

function sameShape(actual, expected) {
  if (actual.shape.join() !== expected.shape.join()) {
    throw new Error(`shape [${actual.shape}], expected [${expected.shape}]`);
  }
}

function same(actual, expected) {
  sameShape(actual, expected);
  const at = expected.data.findIndex((value, i) => !Object.is(value, actual.data[i]));
  if (at >= 0) throw new Error(`element ${at}: got ${actual.data[at]}, expected ${expected.data[at]}`);
}

/** Within 4·γ(n) of the largest that a sum of n products of these factors can be (test/support/tolerance.ts). */
function close(actual, expected, terms, ...factors) {
  sameShape(actual, expected);
  const unit = UNIT_ROUNDOFF[factors[0].dtype];
  const size = terms * factors.map(largest).reduce((a, b) => a * b, 1);
  const allowed = 4 * (terms + 2) * unit * (size + largest(expected));
  const at = expected.data.findIndex((value, i) => {
    const got = actual.data[i];
    return !(Object.is(value, got) || value === got || Math.abs(value - got) <= allowed);
  });
  if (at < 0) return;
  const [got, want] = [actual.data[at], expected.data[at]];
  throw new Error(`element ${at}: got ${got}, expected ${want} within ${allowed}`);
}

const passed = [];
const failed = [];
const pending = [];

/** Runs one check. One that an algorithm cannot serve counts as neither. */
function check(id, run) {
  const note = (error) => {
    if (error === undefined) passed.push(id);
    else if (!(error instanceof convmat.UnsupportedError)) failed.push(`${id}: ${error?.stack ?? error}`);
  };
  try {
    const result = run();
    if (result instanceof Promise) pending.push(result.then(() => note(), note));
    else note();
  } catch (error) {
    note(error);
  }
}

const SUMMED = ['auto', 'im2col', 'direct', 'depthwise', 'toeplitz'];
// These put a NaN or an infinity elsewhere than direct summation does.
const TRANSFORMED = ['winograd', 'fft'];

for (const { id, call, args, tensors, expected } of cases('torch_conv')) {
  const { input, weight, bias } = tensors;
  const terms = product(weight.shape.slice(1));
  const finite = input.data.every(Number.isFinite) && weight.data.every(Number.isFinite);
  for (const algorithm of finite ? [...SUMMED, ...TRANSFORMED] : SUMMED) {
    check(`${id}, ${algorithm}`, () => {
      const y = convmat[call](input, weight, { ...args, bias, algorithm });
      close(y, expected.output, terms, input, weight);
    });
  }
  check(`${id}, prepared`, async () => {
    const { activation, ...geometry } = args;
    const prepared = convmat.prepareConv(weight, { ...geometry, activation, bias });
    const y = prepared.run(input);
    close(y, expected.output, terms, input, weight);
    const later = await prepared.runAsync(input);
    prepared.dispose();
    same(later, y);
  });
}
for (const { id, call, args, tensors, expected } of cases('torch_conv_transpose')) {
  const { input, weight, bias } = tensors;
  const terms = weight.shape[0] * product(weight.shape.slice(2));
  check(id, () =>
    close(convmat[call](input, weight, { ...args, bias }), expected.output, terms, input, weight),
  );
}
for (const { id, args, tensors, expected } of cases('torch_conv_grads')) {
  const { input: x, weight: w, gradOutput: g } = tensors;
  const places = product(g.shape);
  check(`${id}, input`, () =>
    close(
      convmat.convInputGrad(x.shape, w, g, args),
      expected.input,
      places * product(w.shape.slice(2)),
      w,
      g,
    ),
  );
  check(`${id}, weight`, () =>
    close(convmat.convWeightGrad(x, w.shape, g, args), expected.weight, places, x, g),
  );
}
for (const { id, call, args, tensors, expected } of cases('torch_pool')) {
  const { kernelSize, ...options } = args;
  check(id, () => {
    const y = convmat[call](tensors.input, kernelSize, options);
    if (call.startsWith('max')) same(y, expected.output);
    else close(y, expected.output, product([kernelSize].flat()) ** 3, tensors.input);
  });
}
for (const { id, call, args, tensors, expected } of cases('torch_unfold_fold')) {
  const { kernelSize, outputSize, ...geometry } = args;
  check(id, () => {
    if (call === 'unfold') same(convmat.unfold(tensors.input, kernelSize, geometry), expected.output);
    else {
      const image = convmat.fold(tensors.columns, outputSize, kernelSize, geometry);
      if (!(image.dtype in UNIT_ROUNDOFF)) same(image, expected.output);
      else close(image, expected.output, product([kernelSize].flat()) ** outputSize.length, tensors.columns);
    }
  });
}
for (const { id, args, tensors, expected } of cases('torch_conv_matrix')) {
  const { weight, x, y } = tensors;
  const vector = (data) => convmat.tensor(data, [data.length]);
  const terms = weight.size * weight.shape.at(-1);
  check(id, () => {
    const B = convmat.convMatrix(weight, args);
    close(vector(B.matvec(x)), expected.matvec, terms, weight, x);
    close(vector(B.rmatvec(y)), expected.rmatvec, terms, weight, y);
    const csr = B.toCSR();
    same(vector(csr.indices), expected.indices);
    same(vector(csr.data), expected.data);
    close(vector(csr.matvec(x)), expected.matvec, terms, weight, x);
  });
}
for (const { id, call, args, tensors, expected } of cases('onnx_integer')) {
  const { input, weight, bias } = tensors;
  const options = call === 'qlinearConv' && bias ? { ...args, bias } : args;
  check(id, () => same(convmat[call](input, weight, options), expected.output));
}
for (const { id, call, args, tensors, expected } of cases('fixed')) {
  if (call !== 'fixed.conv2') continue;
  const { fi, conv2 } = convmat.fixed;
  check(id, () => {
    const { raw } = conv2(fi(tensors.image, args.image), fi(tensors.kernel, args.kernel), args.options);
    same(raw, expected.raw);
  });
}
for (const { id, call, args, tensors, expected } of cases('octave_signal')) {
  if (call !== 'conv2' && call !== 'convn') continue;
  // Operands lie on a grid on which these sums are exact, in any order.
  check(id, () => {
    const y = signal[call](tensors.A, tensors.B, args.shape);
    sameShape(y, expected.output);
    if (y.data.some((value, i) => value !== expected.output.data[i])) throw new Error('not exact');
  });
}

Promise.all(pending).then(() => {
  const report = JSON.stringify({ info: convmat.backendInfo(), passed: passed.length, failed });
  if (reportFile) writeFileSync(reportFile, report);
  console.log(report);
  if (failed.length > 0) process.exitCode = 1;
});
