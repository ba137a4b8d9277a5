// onnxruntime-node on a model of one Conv node.
import ort from 'onnxruntime-node';
import { convModel } from './onnx-model.mjs';
import { serve } from './serve.mjs';

const threads = Number(process.env.BENCH_THREADS);

serve(async (layer, { input, weight, bias }) => {
  const session = await ort.InferenceSession.create(convModel(layer, weight, bias), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  const feeds = { x: new ort.Tensor('float32', input, layer.inputShape) };
  let outputs;
  return {
    run: async () => {
      outputs = await session.run(feeds);
    },
    result: () => outputs.y.data,
  };
});
