// TensorFlow.js on its plain JavaScript backend, in its own layout (NHWC), with the same numbers.
import { createRequire } from 'node:module';
import { serve } from './serve.mjs';

const tf = createRequire(import.meta.url)('@tensorflow/tfjs');
await tf.setBackend('cpu');

const SHAPES = [[6, 1, 3, 3], [6], [16, 6, 3, 3], [16], [120, 576], [120], [84, 120], [84], [10, 84], [10]];

serve(({ parameters, images, labels }) => {
  let at = 0;
  const given = SHAPES.map((shape) => {
    const size = shape.reduce((product, n) => product * n, 1);
    at += size;
    return tf.tensor(parameters.slice(at - size, at), shape);
  });
  const values = given.map((t, i) => {
    if (t.rank === 4) return t.transpose([2, 3, 1, 0]);
    if (t.rank !== 2) return t;
    // The first fully-connected layer reads maps whose channels come last here.
    return i === 4 ? t.reshape([120, 16, 6, 6]).transpose([2, 3, 1, 0]).reshape([576, 120]) : t.transpose();
  });
  const [w1, b1, w2, b2, w3, b3, w4, b4, w5, b5] = values.map((t) => tf.variable(t));
  const x = tf.tensor4d(images, [labels.length, 32, 32, 1]);
  const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
  const layer = (input, w, b) =>
    tf.maxPool(tf.relu(tf.add(tf.conv2d(input, w, 1, 'valid'), b)), 2, 2, 'valid');
  const loss = () => {
    const maps = layer(layer(x, w1, b1), w2, b2).reshape([labels.length, 576]);
    const hidden = tf.relu(tf.add(tf.matMul(maps, w3), b3));
    const logits = tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(hidden, w4), b4)), w5), b5);
    return tf.losses.softmaxCrossEntropy(y, logits);
  };
  const optimizer = tf.train.sgd(0.01);
  return () => tf.tidy(() => optimizer.minimize(loss, true).dataSync()[0]);
});
