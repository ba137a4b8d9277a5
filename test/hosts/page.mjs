/** What a page computes with convmat: known answers of each room, and a picture that the browser itself decodes. */
import {
  backendInfo,
  conv1d,
  conv2d,
  conv2dAsync,
  convMatrix,
  io,
  lsqr,
  nn,
  optim,
  prepareConv,
  signal,
  tensor,
} from 'convmat';

async function answers() {
  const image = tensor(
    Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i)),
    [1, 3, 64, 64],
  );
  const weight = tensor(
    Float32Array.from({ length: 8 * 3 * 3 * 3 }, (_, i) => Math.cos(i)),
    [8, 3, 3, 3],
  );
  const y = conv2d(image, weight, { padding: 1 });
  const later = await conv2dAsync(image, weight, { padding: 1 });
  const prepared = prepareConv(weight, { padding: 1 }).run(image);
  const same = (a, b) => a.data.every((value, i) => value === b.data[i]);

  const matrix = convMatrix([[1, 2, 1]], { inputShape: [1, 5] });
  const solution = lsqr(matrix, matrix.matvec(Float64Array.of(1, 2, 3, 4, 5)));
  const picture = await createImageBitmap(new Blob([matrix.spy({ format: 'png' })], { type: 'image/png' }));

  const net = new nn.Sequential(new nn.Linear(2, 1));
  const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
  const losses = [];
  for (let i = 0; i < 50; i++) {
    const { value, grad } = nn.mseLoss(net.forward([[1, 2]]), [[3]]);
    losses.push(value);
    optimizer.zeroGrad();
    net.backward(grad);
    optimizer.step();
  }

  let refusal = '';
  try {
    conv1d([[[1]]], [[[[1]]]]);
  } catch (error) {
    refusal = error.name;
  }
  let files = '';
  try {
    await io.readNpy('a.npy');
  } catch (error) {
    files = error.name;
  }
  return {
    ...backendInfo(),
    first: y.data[0],
    asynchronous: same(y, later),
    prepared: same(y, prepared),
    residual: solution.residualNorm,
    convolved: [...signal.conv([1, 2, 3], [1, 1])],
    picture: [picture.width, picture.height],
    learned: losses.at(-1) < losses[0] / 100,
    refusal,
    files,
  };
}

globalThis.answers = answers();
