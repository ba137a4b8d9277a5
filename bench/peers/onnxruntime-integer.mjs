// onnxruntime-node on a model of one QLinearConv node. Operands come as floats that hold bytes.
import ort from 'onnxruntime-node';
import { qlinearConvModel } from './onnx-model.mjs';
import { quantizationOf } from './quantization.mjs';
import { serve } from './serve.mjs';

const threads = Number(process.env.BENCH_THREADS);

serve(async (layer, { input, weight, bias }) => {
  const model = qlinearConvModel(layer, Int8Array.from(weight), Int32Array.from(bias), quantizationOf(layer));
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  const feeds = { x: new ort.Tensor('uint8', Uint8Array.from(input), layer.inputShape) };
  let outputs;
  return {
    run: async () => {
      outputs = await session.run(feeds);
    },
    result: () => Float32Array.from(outputs.y.data),
  };
});
