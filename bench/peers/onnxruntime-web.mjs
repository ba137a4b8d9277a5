// onnxruntime-web on a model of one Conv node, on WebAssembly with one thread.
import ort from 'onnxruntime-web';
import { convModel } from './onnx-model.mjs';
import { serve } from './serve.mjs';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

serve(async (layer, { input, weight, bias }) => {
  const session = await ort.InferenceSession.create(convModel(layer, weight, bias), {
    executionProviders: ['wasm'],
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
